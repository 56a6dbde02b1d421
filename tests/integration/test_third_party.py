"""test_third_party.py BUILD_DIR PROFILES_DIR EXAMPLE: the adapter of docs/examples, as a process of its own, and programs of less good manners on the real
daemon's socket; deaths between commit and answer. The hospital is away.
"""

import hashlib
import json
import socket
import stat
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from rig import pki, plaintext
from rig.gateway import Gateway, Uplinks
from rig.process import Process, free_ports

_TOKEN = "3f1c-a-token-of-one-program-only"
_DEVICE = """
[device.bridge]
protocol = "socket"
socket = "{folder}/bridge.sock"
token_sha256 = "{hash}"
profile = "generic-json"
message_max_mb = 1
messages_per_s = 20
patient_id_issuer = "urn:oid:2.25.99"
[profiles]
shipped_dir = "{profiles}"
site_dir = "/nonexistent"
"""
_PATIENT = "PATIENT-BEHIND-A-BRIDGE"
_ORU = (
    "MSH|^~\\&|BRIDGE|LAB|GW|CLINIC|20260301101500+0100||ORU^R01^ORU_R01|H-1|P|2.5.1\rPID|1||P-9||Roe^Jane||19800102|F\r"
    "OBR|1|PL1|FI1|24323-8^Panel^LN|||20260301090000+0100\rOBX|1|NM|2345-7^Glucose^LN||5.0|mg/dL|70-110|N|||F\r"
)
_PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\n%%EOF\n"


def measurement(number, patient="P-1"):
    return f"2026-11-20T10:{number:02}:00+01:00;{patient};GLU;5.40;mmol/L\n"


def record(number, patient="P-1"):
    content = {"time": f"2026-11-20T11:{number:02}:00Z", "patient": {"id": patient}, "results": [{"code": "CRP", "value": "4", "unit": "mg/L"}]}
    return {"type": "record", "id": f"r-{number}", "text": json.dumps(content)}


class Program:
    """Whoever connects, with what manners ever."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(30)
        self._socket.connect(str(path))
        self._stream = self._socket.makefile("rwb")

    def ask(self, line):
        self.say(line)
        return self.hear()

    def insist(self, line):
        """As often as the gateway says later."""
        while (answer := self.ask(line))["answer"] == "later":
            time.sleep(answer["retry_after_ms"] / 1000)
        return answer

    def say(self, line):
        self._stream.write(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n")
        self._stream.flush()

    def hear(self):
        """None: the connection ended."""
        try:
            line = self._stream.readline()
        except ConnectionResetError:
            return None
        return json.loads(line) if line else None

    def close(self):
        self._stream.close()
        self._socket.close()


class ThirdParty(unittest.TestCase):
    build_dir = profiles = example = None

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="gateway-bridge-")))
        certificates = pki.make(self.folder / "pki")
        self.socket = self.folder / "bridge.sock"
        self.token = self.folder / "token"
        self.token.write_text(_TOKEN + "\n")
        config = _DEVICE.format(folder=self.folder, hash=hashlib.sha256(_TOKEN.encode()).hexdigest(), profiles=self.profiles)
        self.gateway = Gateway(
            self.build_dir, self.folder / "gateway", Uplinks(*free_ports(3), certificates.ca), more_config=config
        )
        self.addCleanup(self.gateway.stop)

    def start(self, **how):
        self.gateway.start(**how)
        self.gateway.process.wait_ready(self.is_listening, "listens", 60)

    def is_listening(self):
        return (self.gateway.status()["socket"] or {}).get("state") == "running"

    def device(self):
        return self.gateway.status()["socket"]["devices"][0]

    def observations(self):
        return [row for row in self.gateway.queue() if "Observation" in str(row)]

    def command(self, *files, token=None):
        return [sys.executable, "-B", self.example, "--socket", self.socket, "--token-file", token or self.token, *files]

    def run_example(self, *files, lines="", token=None):
        return subprocess.run(self.command(*files, token=token), input=lines, capture_output=True, text=True, timeout=60)

    def program(self, token=_TOKEN):
        program = Program(self.socket)
        self.addCleanup(program.close)
        self.assertEqual(program.ask({"type": "hello", "version": 1, "token": token})["answer"], "welcome")
        return program

    def test_the_example_hands_over_what_it_has_and_nothing_of_it_lies_there_in_the_clear(self):
        self.start()
        self.assertEqual(stat.S_IMODE(self.socket.stat().st_mode), 0o660)
        done = self.run_example(lines=measurement(1, _PATIENT) + measurement(2, _PATIENT) + "half a line\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.splitlines(), [f"line {one}: accepted as message {one}" for one in (1, 2, 3)])
        self.assertIn("line 3: kept, but nobody could read it: not JSON", done.stderr)
        for name, content in (("result.hl7", _ORU.encode()), ("report.pdf", _PDF), ("no.pdf", b"no PDF")):
            (self.folder / name).write_bytes(content)
        done = self.run_example(*(self.folder / name for name in ("result.hl7", "report.pdf", "no.pdf")))
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout.splitlines(), ["result.hl7: accepted as message 4", "report.pdf: accepted as message 5"])
        self.assertEqual(done.stderr, "no.pdf: refused: the document is no PDF, JPEG or PNG\n")
        self.assertEqual(self.device()["counts"], {"stored": 3, "repeated": 0, "unassigned": 1, "dead": 1, "refused": 1})
        self.assertEqual(len(self.observations()), 3)
        letters = {letter["number"]: letter for letter in self.gateway.letters()}
        self.assertEqual([letters[3]["state"], letters[5]["state"]], ["dead", "unassigned"])
        listed = self.gateway.ask("devices", "list")["socket"]["devices"][0]
        self.assertRegex(listed["revision"], r"^1\+")
        self.gateway.stop()
        self.assertFalse(self.socket.exists())
        self.assertEqual(plaintext.find([_PATIENT.encode(), _TOKEN.encode()], [self.gateway.folder]), [])

    def test_killed_between_commit_and_answer_the_example_sends_again_and_one_result_is_there(self):
        self.start(crash_at="message-committed:2")
        lines = self.folder / "lines"
        lines.write_text("".join(measurement(number) for number in (1, 2, 3)))
        example = Process("adapter", ["sh", "-c", 'exec "$@" <"$0"', lines, *self.command()], log=self.folder / "example.log")
        self.addCleanup(example.stop)
        self.gateway.wait_crash(60)
        self.start()
        self.assertEqual(example.wait_exit(60), 0)
        said = example.log_tail().splitlines()
        self.assertEqual([line for line in said if "accepted" in line], [f"line {one}: accepted as message {one}" for one in (1, 2, 3)])
        self.assertTrue(any("the gateway is away" in line for line in said))
        counts = self.device()["counts"]
        self.assertEqual((counts["stored"], counts["repeated"]), (1, 1))
        self.assertEqual(len(self.observations()), 3)

    def test_killed_before_the_answer_a_resend_hears_the_one_it_would_have_heard(self):
        self.start()
        first = self.program().ask(record(1))
        self.gateway.kill()
        self.start(crash_at="message-committed:2")
        program = self.program()
        self.assertEqual(program.ask(record(1)), first)
        program.say(record(2))
        self.assertIsNone(program.hear())
        self.gateway.wait_crash(60)
        self.start()
        program = self.program()
        answers = [program.ask(record(number)) for number in (2, 2, 1)]
        self.assertEqual(answers, [{"answer": "accepted", "id": "r-2", "messages": [{"number": 2}]}] * 2 + [first])
        self.assertEqual(self.device()["counts"]["repeated"], 3)
        self.assertEqual(len(self.observations()), 2)

    def test_manners(self):
        self.start()
        with self.subTest("a wrong token"):
            wrong = self.folder / "wrong"
            wrong.write_text("another\n")
            done = self.run_example(lines=measurement(1), token=wrong)
            self.assertEqual(done.returncode, 1)
            self.assertIn("refused: the token is not the one of device.bridge.token_sha256", done.stderr)
            self.assertIsNone(self.device()["last_seen"])
        with self.subTest("no hello"):
            program = Program(self.socket)
            self.addCleanup(program.close)
            self.assertIn("say hello first", program.ask(record(1))["reason"])
            self.assertIsNone(program.hear())
        program = self.program()
        with self.subTest("too large"):
            large = record(1)
            large["text"] += " " * (1 << 20)
            self.assertIn("longer than device.bridge.message_max_mb", program.ask(large)["reason"])
        for line, reason in (
            ({"type": "fax", "id": "f", "text": "x"}, "type is unknown"),
            ({**record(1), "extra": "x"}, "a member is not known"),
            (b"no JSON\n", "no JSON"),
        ):
            with self.subTest(reason):
                answer = program.ask(line)
                self.assertEqual(answer["answer"], "refused")
                self.assertIn(reason, answer["reason"])
        with self.subTest("a flood is to come later, and all of it comes"):
            done = self.run_example(lines="".join(measurement(number) for number in range(50)))
            self.assertEqual(done.returncode, 0, done.stderr)
            counts = self.device()["counts"]
            self.assertEqual(counts["stored"], 50)
            self.assertGreater(counts["refused"], 6)
        with self.subTest("and the connection still stands"):
            self.assertEqual(program.insist(record(2))["answer"], "accepted")
        with self.subTest("a recording shows what would come of it, and no token"):
            self.gateway.ask("devices", "capture", "bridge", "--seconds", 600, "--no-wait")
            self.program().insist(record(3, _PATIENT))
            number = self.gateway.ask("devices", "capture", "bridge", "--stop")["number"]
            (connection,) = self.gateway.ask("devices", "--config", self.gateway.config, "replay", number)["connections"]
            self.assertEqual(connection["messages"][-1]["ids"], [{"system": "urn:oid:2.25.99", "value": _PATIENT}])
        with self.subTest("a letter is worked on again, as of the socket"):
            program.insist({"type": "record", "id": "b", "text": "{"})
            (letter,) = self.gateway.letters()
            self.assertEqual(self.gateway.ask("letters", "retry", letter["number"])["state"], "dead")


if __name__ == "__main__":
    ThirdParty.build_dir, ThirdParty.profiles, ThirdParty.example = (Path(argument).resolve() for argument in sys.argv[1:4])
    unittest.main(argv=sys.argv[:1])
