"""test_setup.py BUILD_DIR: from the programs as they are installed to the first study at the hospital, by the clock: a fresh configuration,
one file of answers, `clinic-gateway setup`, a modality that sends; and what setup does when it is run again, or given mistakes.

The PACS is Debian's Orthanc, the broker Debian's Mosquitto, both by TLS and with a password.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from pydicom.uid import generate_uid
from rig import answers, broker, datasets, orthanc, pki, senders
from rig.gateway import AET, _built
from rig.process import Process, free_ports
from rig.wait import wait_until

_PATIENT = datasets.Patient("Montalbanejo", "Serafina", "SETUP0001", "19570908", "F")
_SLICES = 20
_FIRST_STUDY_S_MAX = 300

# What the package ships, in a folder of its own.
_MAIN = """\
[site]
name = "unnamed"
[storage]
state_dir = "{folder}/state"
reserve_mb = 64
[control]
socket = "{folder}/control.sock"
[keys]
passphrase_file = "{folder}/passphrase"
[dicom]
bind = "127.0.0.1"
"""


class Setup(unittest.TestCase):
    build_dir = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="setup-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.config = self.folder / "gateway.toml"
        self.config.write_text(_MAIN.format(folder=self.folder))
        self.kept = self.folder / "conf.d" / "setup.toml"
        self.answers = self.folder / "answers.toml"
        self.keys = pki.make(self.folder / "pki")
        self.pacs_port, self.pacs_dimse, self.mqtt_port, self.dicom_port = free_ports(4)
        for name, text in (
            ("passphrase", "a long passphrase, 42 horses"),
            ("pacs.password", orthanc.PASSWORD),
            ("mqtt.password", broker.PASSWORD),
        ):
            (self.folder / name).touch(mode=0o600)
            (self.folder / name).write_text(text + "\n")
        self.answers.write_text(
            answers.SITE.format(
                secrets=self.folder,
                ca=self.keys.ca,
                aet=AET,
                dicom_port=self.dicom_port,
                pacs_port=self.pacs_port,
                pacs_user=orthanc.USER,
                mqtt_port=self.mqtt_port,
                mqtt_user=broker.USER,
            )
        )

    def run_tool(self, *words):
        return subprocess.run(
            [_built(self.build_dir, "clinic-gateway"), "--socket", self.folder / "control.sock", "--json", *map(str, words)],
            capture_output=True,
            text=True,
            timeout=120,
        )

    def set_up(self, *words, answers=None):
        done = self.run_tool("setup", "--config", self.config, "--from", answers or self.answers, *words)
        return done, [json.loads(line) for line in done.stdout.splitlines()]

    def start_hospital(self):
        pacs = orthanc.Orthanc(self.folder / "pacs", self.pacs_port, self.pacs_dimse, self.keys)
        self.addCleanup(pacs.stop)
        central = broker.Broker(self.folder / "broker", self.mqtt_port, self.keys)
        self.addCleanup(central.stop)
        pacs.wait_ready()
        central.wait_ready()
        return pacs

    def start_gateway(self):
        daemon = Process(
            "clinic-gatewayd",
            [_built(self.build_dir, "clinic-gatewayd"), "--config", self.config],
            log=self.folder / "gateway.log",
            cwd=self.folder,
        )
        self.addCleanup(daemon.stop)
        wait_until(lambda: self.run_tool("status").returncode == 0, "the gateway answers", 60)
        return daemon

    def test_the_first_study_is_at_the_pacs_within_five_minutes(self):
        pacs = self.start_hospital()
        study = generate_uid()
        instances = datasets.write_ct_series(self.folder / "ct", _PATIENT, "SETUP0001", study, slices=_SLICES)
        started = time.monotonic()

        done, told = self.set_up()
        self.assertEqual(done.returncode, 3, done.stderr)  # everything is set, and the daemon does not run yet
        self.assertEqual({check["name"]: check["problem"] for check in told[0]["checks"]}, {"uplink pacs": "", "mqtt broker": ""})
        self.assertIn("uplink.pacs.url", told[0]["changed"])
        self.start_gateway()
        done, told = self.set_up()
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        self.assertEqual(told[0]["changed"], [])
        self.assertEqual(told[0]["state"], "ready")
        code = told[1]["recovery_code"]
        senders.Sender(instances, self.dicom_port, AET).run(120)
        wait_until(lambda: len(pacs.instances()) == _SLICES, "the study is at the PACS", 120)
        took = time.monotonic() - started
        print(json.dumps({"first_study_s": round(took, 1), "instances": _SLICES}))
        self.assertLess(took, _FIRST_STUDY_S_MAX)

        done, told = self.set_up()
        self.assertEqual((done.returncode, len(told)), (0, 1), "the recovery code is shown once")
        self.assertNotIn(code, done.stdout + (self.folder / "gateway.log").read_text())

    def test_a_mistake_or_a_peer_out_of_reach_leaves_everything_as_it_was(self):
        done, _ = self.set_up()
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("FAIL  uplink pacs", done.stderr)
        self.assertIn("nothing was changed", done.stderr)
        self.assertFalse(self.kept.exists())

        done, _ = self.set_up("--offline")
        self.assertTrue(self.kept.exists(), done.stderr)
        before = self.kept.read_text()
        wrong = self.folder / "wrong.toml"
        for text, said in (
            ("[dicom]\nprot = 1\n", f"{wrong}:2: dicom.prot: is not a known key"),
            ('[site]\nname = "No Name"\n', "site.name"),
            ("[dicom\n", f"{wrong}:1"),
            ('[uplink.pacs]\nca_file = "/nowhere.pem"\n', "/nowhere.pem"),
        ):
            wrong.write_text(text)
            done, _ = self.set_up("--offline", answers=wrong)
            self.assertEqual(done.returncode, 1, text)
            self.assertIn(said, done.stderr)
            self.assertEqual(self.kept.read_text(), before)

    def answer_at_a_terminal(self, *lines):
        """Exit code and what was said; each line is an answer."""
        ours, theirs = os.openpty()
        os.write(ours, "".join(line + "\n" for line in lines).encode())
        tool = [_built(self.build_dir, "clinic-gateway"), "--socket", self.folder / "control.sock", "setup", "--config", self.config]
        try:
            done = subprocess.run(tool, stdin=theirs, capture_output=True, text=True, timeout=120)
        finally:
            os.close(ours)
            os.close(theirs)
        return done.returncode, done.stdout + done.stderr

    def test_at_a_terminal_each_part_is_tried_before_the_next(self):
        self.start_hospital()
        url = f"https://127.0.0.1:{self.pacs_port}/dicom-web"
        password = str(self.folder / "pacs.password")
        site = ["clinic-07", "Nowhere/Nothing", "", ""] + ["", "Africa/Blantyre", "", ""]
        pacs = [url, str(self.keys.ca), orthanc.USER, password]
        code, said = self.answer_at_a_terminal(*site, "", *pacs, "", "CT1", "", "no")
        self.assertEqual(code, 1, said)
        self.assertIn("site.timezone: \"Nowhere/Nothing\"", said)
        self.assertIn("ok    uplink pacs: reached", said)
        self.assertIn("nothing was changed", said)
        self.assertFalse(self.kept.exists())

        code, said = self.answer_at_a_terminal(*site, "", *pacs, "", "CT1", "", "yes")
        self.assertEqual(code, 3, said)
        self.assertIn("start it, then run setup again for its keys", said)
        self.assertIn('uplink.pacs.kind = "stow"', self.kept.read_text())
        # Again: what is set is shown, an empty answer keeps it, - takes it away.
        code, said = self.answer_at_a_terminal("", "", "", "", "", "-", "", "", "", "yes")
        self.assertIn(f"[{url}]", said)
        self.assertIn("[CT1]", said)
        self.assertNotIn("uplink.pacs.kind", self.kept.read_text())
        self.assertIn('dicom.peer.modality-1.ae_title = "CT1"', self.kept.read_text())

    def test_only_what_is_asked_changes_and_a_file_of_a_person_is_left_alone(self):
        self.set_up("--offline")
        before = self.kept.read_text().splitlines()
        one = self.folder / "one.toml"
        one.write_text("[dicom]\nidle_timeout_s = 77\n")
        done, told = self.set_up("--offline", answers=one)
        self.assertEqual(told[0]["changed"], ["dicom.idle_timeout_s"], done.stderr)
        after = self.kept.read_text().splitlines()
        self.assertEqual([line for line in after if line not in before], ["dicom.idle_timeout_s = 77"])
        self.assertEqual([line for line in before if line not in after], [])
        self.assertEqual(self.kept.stat().st_mode & 0o777, 0o644)

        mine = self.folder / "conf.d" / "site.toml"
        mine.write_text("[dicom]\nidle_timeout_s = 99\n")
        one.write_text("[dicom]\nidle_timeout_s = 55\n")
        done, _ = self.set_up("--offline", answers=one)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{mine}:2: dicom.idle_timeout_s: is read after setup.toml", done.stderr)
        self.assertEqual(self.kept.read_text().splitlines(), after)


if __name__ == "__main__":
    Setup.build_dir = Path(sys.argv.pop(1))
    unittest.main(verbosity=2)
