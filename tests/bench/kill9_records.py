"""The records in kill9.py's load: an analyzer that sends results by HL7 v2, an app that edits FHIR resources, and the hospital's FHIR server
that takes both. `lost_or_wrong()` judges what the stopped state holds of them."""

import hashlib
import http.client
import json
import socket
import ssl
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from pathlib import Path

from rig.process import Process, accepts_connections

DEVICE, CODE = "lab", "2345-7"
API_TOKEN = "token-4712-of-the-wards-app"
EDITED = 5
# Between two results, and between two edits: as busy as a clinic's busiest minute, and a state that can be read at the end.
PAUSE_S = 0.03


class Analyzer(threading.Thread):
    """Sends one result after the other, each again until it is accepted."""

    def __init__(self, port, names, ids):
        super().__init__(daemon=True)
        self._port, self._names, self._ids, self._number = port, names, ids, 1_000_000
        self.stopping, self.digests, self.acknowledged, self.last_refusal = threading.Event(), {}, set(), None

    def run(self):
        message = self._next()
        while not self.stopping.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self._port), timeout=10) as connection:
                    while not self.stopping.is_set():
                        if self._accepts(connection, message):
                            self.acknowledged.add(f"M{self._number}")
                            message = self._next()
                        self.stopping.wait(PAUSE_S)
            except OSError:
                self.stopping.wait(0.05)

    def _next(self):
        self._number += 1
        which = self._number % len(self._names)
        time = f"202603{self._number % 28 + 1:02}{self._number % 24:02}{self._number % 60:02}00+0000"
        message = (
            f"MSH|^~\\&|ANALYZER|LAB|GW|CLINIC|{time}||ORU^R01^ORU_R01|M{self._number}|P|2.5.1\r"
            f"PID|1||{self._ids[which]}^^^^MR||{self._names[which]}||19800102|F\r"
            f"OBR|1|PL{self._number}|FI{self._number}|24323-8^Panel^LN|||{time}|||||||||||||||{time}|||F\r"
            f"OBX|1|NM|{CODE}^Glucose^LN||{self._number}|mg/dL||N|||F|||{time}\r"
        ).encode()
        self.digests[f"M{self._number}"] = hashlib.sha256(message).hexdigest()
        return message

    def _accepts(self, connection, message):
        connection.sendall(b"\x0b" + message + b"\x1c\r")
        answer = b""
        while not answer.endswith(b"\x1c\r"):
            piece = connection.recv(4096)
            if not piece:
                raise ConnectionError("the gateway closed")
            answer += piece
        accepted = f"MSA|AA|M{self._number}" in answer.decode()
        if not accepted:
            self.last_refusal = answer.decode()
        return accepted


class App(threading.Thread):
    """Edits a few Observations in turn, each write on the version it has read."""

    def __init__(self, port, certificate, names):
        super().__init__(daemon=True)
        self._port, self._names, self._number = port, names, 0
        self._context = ssl.create_default_context(cafile=str(certificate))
        self.stopping, self.attempted, self.acknowledged = threading.Event(), defaultdict(list), defaultdict(list)

    def run(self):
        while not self.stopping.is_set():
            try:
                connection = http.client.HTTPSConnection("127.0.0.1", self._port, timeout=10, context=self._context)
                while not self.stopping.is_set():
                    self._edit(connection, f"edited-{self._number % EDITED}")
                    self.stopping.wait(PAUSE_S)
            except (OSError, http.client.HTTPException):
                self.stopping.wait(0.05)

    def _edit(self, connection, name):
        status, etag, _ = self._ask(connection, "GET", name)
        if status not in (200, 404):
            raise ConnectionError(f"a read is answered {status}")
        self._number += 1
        body = {
            "resourceType": "Observation",
            "id": name,
            "status": "preliminary",
            "code": {"text": "Pain"},
            "subject": {"display": self._names[self._number % len(self._names)]},
            "valueInteger": self._number,
        }
        self.attempted[name].append(self._number)
        status, _, _ = self._ask(connection, "PUT", name, {"If-Match": etag} if etag else {"If-None-Match": "*"}, json.dumps(body))
        if status in (200, 201):
            self.acknowledged[name].append(self._number)

    def _ask(self, connection, method, name, headers=None, body=None):
        more = {"Authorization": f"Bearer {API_TOKEN}", "Content-Type": "application/fhir+json", **(headers or {})}
        connection.request(method, f"/fhir/Observation/{name}", body, more)
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, answer.headers["ETag"], text


class Hospital:
    """The cheap FHIR server of the drain bench, behind TLS, and the certificate that it and the gateway's API share."""

    def __init__(self, folder, port):
        self._folder, self.port, self.certificate, self.key = folder, port, folder / "server.pem", folder / "server.key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
            + ["-subj", "/CN=kill9", "-addext", "subjectAltName=IP:127.0.0.1", "-out", self.certificate, "-keyout", self.key],
            check=True,
            capture_output=True,
        )
        self.key.chmod(0o600)
        both = folder / "both.pem"
        both.write_bytes(self.certificate.read_bytes() + self.key.read_bytes())
        sink = [sys.executable, Path(__file__).with_name("fhir_sink.py"), "--bind", "127.0.0.1"]
        self._process = Process("sink", [*sink, "--port", str(port), "--certificate", both], folder / "sink.log")
        self._process.wait_ready(lambda: accepts_connections(port), "listens", 20)

    def received(self):
        """How many Observations it has, each counted once."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=context)
        connection.request("GET", "/report")
        return json.loads(connection.getresponse().read())["resources"]

    def stop(self):
        self._process.stop()


def lost_or_wrong(analyzer, app, messages, versions):
    """What a state holds of them, against what was answered: two lists of texts. `messages`: (device, control id, digest); `versions`:
    (id, body) of every version of an Observation, oldest first."""
    lost, wrong = [], []
    held = Counter(control_id for _, control_id, _ in messages)
    wrong += [f"message held otherwise than it was sent: {name}" for _, name, digest in messages if digest != analyzer.digests.get(name)]
    wrong += [f"message held {count} times: {name}" for name, count in held.items() if count > 1]
    results, edits = defaultdict(set), defaultdict(list)
    for name, body in versions:
        if name.startswith("edited-"):
            edits[name].append(body["valueInteger"])
        elif any(coding["code"] == CODE for coding in body["code"]["coding"]):
            results[f"M{int(body['valueQuantity']['value'])}"].add(name)
    wrong += [f"one result is {len(names)} resources: {name}" for name, names in results.items() if len(names) > 1]
    wrong += [f"a result nobody sent: {name}" for name in results.keys() - analyzer.digests.keys()]
    lost += [f"message: {name}" for name in sorted(analyzer.acknowledged - held.keys())]
    lost += [f"result: {name}" for name in sorted(analyzer.acknowledged - results.keys())]
    for name, values in edits.items():
        if values != sorted(set(values)) or not set(values) <= set(app.attempted[name]):
            wrong.append(f"the versions of {name} are not the edits in their order")
    lost += [f"edit {value} of {name}" for name, values in app.acknowledged.items() for value in set(values) - set(edits[name])]
    return lost, wrong
