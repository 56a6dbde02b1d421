#!/usr/bin/env python3
"""third_party_adapter.py --socket PATH --token-file FILE [FILE...]: an adapter of a site's own, as an example to begin from.

Without files it stands for the adapter of a meter on a serial line or pipe: standard input has a line for each measurement,

    2026-11-20T10:02:33+02:00;P-3001;GLU;5.40;mmol/L

which becomes a JSON record as the profile "generic-json" reads it. With files it hands these over as they are: HL7 v2 (.hl7),
documents (.pdf, .jpg, .jpeg, .png), everything else as a record.

A measurement is done with once the gateway has said "accepted": then, and only then, it is on the gateway's disk. Until that the
same line is sent again under the same id, whatever happened to the gateway meanwhile, and it is kept once. The protocol is
described in third-party-adapters.md. Python's own library is all it needs.
"""

import argparse
import base64
import hashlib
import json
import socket
import sys
import time
from pathlib import Path

_VERSION = 1
_AWAY_S = 2  # between looks at a gateway that is not there
_ANSWER_S = 120  # a commit takes milliseconds, on a bad day seconds
_DOCUMENTS = (".pdf", ".jpg", ".jpeg", ".png")


class Refused(Exception):
    """The gateway will not take this, however often it is sent; the message says why."""


class Gateway:
    """The adapter's end of the socket. It connects when there is something to say, and again after every cut."""

    def __init__(self, path, token):
        self._path, self._token, self._stream = str(path), token, None

    def hand_over(self, kind, message_id, **content):
        """What was accepted, a dict for each message that came of it; returns only then. Refused: nothing was kept."""
        while True:
            try:
                answer = self._ask({"type": kind, "id": message_id, **content})
            except (OSError, EOFError) as cut:
                # Whether it was kept nobody here knows; sent again as it is, it is kept once.
                self.close()
                print(f"the gateway is away ({cut}); trying again", file=sys.stderr, flush=True)
                time.sleep(_AWAY_S)
                continue
            if answer["answer"] == "accepted":
                return answer["messages"]
            if answer["answer"] == "refused":
                raise Refused(answer["reason"])
            time.sleep(answer["retry_after_ms"] / 1000)

    def close(self):
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _ask(self, line):
        if self._stream is None:
            self._connect()
        return self._say(line)

    def _connect(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_ANSWER_S)
            connection.connect(self._path)
            self._stream = connection.makefile("rwb")  # keeps the connection open
        answer = self._say({"type": "hello", "version": _VERSION, "token": self._token})
        if answer["answer"] != "welcome":
            self.close()
            raise Refused(answer["reason"])

    def _say(self, line):
        self._stream.write(json.dumps(line).encode() + b"\n")
        self._stream.flush()
        answer = self._stream.readline()
        if not answer.endswith(b"\n"):
            raise EOFError("the connection ended before the answer")
        return json.loads(answer)


def measurements(lines):
    """(id, record) of each line. The same measurement has the same id, also after this program was started anew."""
    for line in filter(None, map(str.strip, lines)):
        yield hashlib.sha256(line.encode()).hexdigest(), record_of(line)


def record_of(line):
    parts = line.split(";")
    if len(parts) != 5:
        return line  # the gateway keeps it for a person: what a device has said is not lost because of us
    taken_at, patient, code, value, unit = parts
    # The value as text: 5.40 stays 5.40.
    return json.dumps({"time": taken_at, "patient": {"id": patient}, "results": [{"code": code, "value": value, "unit": unit}]})


def in_base64(content):
    return base64.b64encode(content).decode()


def hand_over_file(gateway, path):
    content = path.read_bytes()
    message_id = hashlib.sha256(content).hexdigest()
    if path.suffix == ".hl7":
        return gateway.hand_over("hl7", message_id, data=in_base64(content))
    kind = "document" if path.suffix in _DOCUMENTS else "record"
    return gateway.hand_over(kind, message_id, name=path.name, data=in_base64(content))


def report(what, hand_over):
    """Tells what became of it; True: the gateway has it."""
    try:
        messages = hand_over()
    except Refused as refusal:
        print(f"{what}: refused: {refusal}", file=sys.stderr, flush=True)
        return False
    numbers = ", ".join(str(one["number"]) for one in messages)
    print(f"{what}: accepted as message {numbers}", flush=True)
    for one in messages:
        if "dead" in one:
            print(f"{what}: kept, but nobody could read it: {one['dead']}", file=sys.stderr, flush=True)
    return True


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--socket", required=True, help="the device's socket on the gateway")
    arguments.add_argument("--token-file", required=True, type=Path, help="file with the token; keep it to this program's user")
    arguments.add_argument("files", nargs="*", type=Path)
    asked = arguments.parse_args()
    gateway = Gateway(asked.socket, asked.token_file.read_text().strip())
    if asked.files:
        outcomes = [report(path.name, lambda path=path: hand_over_file(gateway, path)) for path in asked.files]
    else:
        outcomes = [
            report(f"line {number}", lambda key=key, record=record: gateway.hand_over("record", key, text=record))
            for number, (key, record) in enumerate(measurements(sys.stdin), 1)
        ]
    gateway.close()
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
