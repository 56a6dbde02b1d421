"""test_point_of_care.py BUILD_DIR PROFILES_DIR: a POCT1-A device of another hand (rig/meter.py) and the real daemon: the whole
conversation, and deaths between commit and acknowledgment. The hospital is away.
"""

import datetime
import shutil
import socket
import sys
import tempfile
import unittest
from pathlib import Path

from rig import pki, plaintext
from rig.gateway import Gateway, Uplinks
from rig.meter import Closed, Meter
from rig.process import accepts_connections, free_ports

_DEVICE = """
[device.meters]
protocol = "poct1a"
profile = "nova-statstrip"
bind = "127.0.0.1"
port = {port}
patient_id_issuer = "urn:oid:2.25.99"
sets_clock = true
[profiles]
shipped_dir = "{profiles}"
site_dir = "{site}"
"""
_CLOCK_SLACK_S = 5
_RECORDED_PATIENT = "PATIENT-OF-A-RECORDING"


def glucose(number, patient="P-1", value="5.4"):
    return (
        f'<OBS.R01><HDR><HDR.control_id V="{number}"/></HDR><SVC><SVC.role_cd V="OBS"/>'
        f'<SVC.observation_dttm V="2026-11-20T10:{number % 60:02}:00+01:00"/><PT><PT.patient_id V="{patient}"/><OBS>'
        f'<OBS.observation_id V="2341-6" SN="LN"/><OBS.value V="{value}" U="mmol/L"/><OBS.status_cd V="A"/></OBS></PT></SVC></OBS.R01>'
    )


class PointOfCare(unittest.TestCase):
    build_dir = profiles = None

    def setUp(self):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="gateway-meters-")))
        certificates = pki.make(folder / "pki")
        pacs, his, mqtt, self.port = free_ports(4)
        self.site_profiles = folder / "profiles"
        config = _DEVICE.format(port=self.port, profiles=self.profiles, site=self.site_profiles)
        self.gateway = Gateway(self.build_dir, folder / "gateway", Uplinks(pacs, his, mqtt, certificates.ca), more_config=config)
        self.addCleanup(self.gateway.stop)

    def start(self, **how):
        self.gateway.start(**how)
        self.gateway.process.wait_ready(lambda: accepts_connections(self.port), "listens", 60)

    def meter(self, **how):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        self.addCleanup(connection.close)
        return Meter(connection, **how)

    def counts(self):
        return self.gateway.status()["poct1a"]["devices"][0]["counts"]

    def observations(self):
        return [row for row in self.gateway.queue() if "Observation" in str(row)]

    def test_it_asks_for_what_waits_sets_the_clock_and_asks_to_stay(self):
        self.start()
        for framed in (False, True):
            with self.subTest(framed=framed):
                meter = self.meter(framed=framed)
                meter.hello()
                meter.status(1)
                self.assertEqual(meter.hear("REQ.R01").find("REQ/REQ.request_cd").get("V"), "ROBS")
                meter.send(glucose(40 + framed))
                meter.end_of_topic()
                clock = meter.hear("DTV.R02")
                self.assertEqual(clock.find("DTV/DTV.command_cd").get("V"), "SET_TIME")
                told = datetime.datetime.fromisoformat(clock.find("TM/TM.dttm").get("V"))
                self.assertLess(abs((told - datetime.datetime.now(datetime.timezone.utc)).total_seconds()), _CLOCK_SLACK_S)
                meter.acknowledge(clock)
                stay = meter.hear("DTV.R01")
                self.assertEqual(stay.find("DTV/DTV.command_cd").get("V"), "START_CONTINUOUS")
                meter.acknowledge(stay)
                meter.send(glucose(50 + framed))
                meter.tell("KPA.R01", "")
                meter.tell("END.R01", "<TRM/>")
        self.assertEqual(self.counts()["stored"], 4)
        self.assertEqual(self.gateway.status()["poct1a"]["devices"][0]["condition"], "R")

    def test_a_device_that_cannot_stay_is_let_go(self):
        self.start()
        meter = self.meter()
        meter.hello(directives=("SET_TIME",))
        meter.status(0)
        meter.acknowledge(meter.hear("DTV.R02"))
        meter.acknowledge(meter.hear("END.R01"))

    def test_killed_between_commit_and_answer_the_resend_gives_one_result_and_one_answer(self):
        self.start(crash_at="message-committed:2")
        meter = self.meter()
        meter.hello()
        meter.send(glucose(1))
        with self.assertRaises(Closed):
            meter.send(glucose(2))
        self.gateway.wait_crash(60)
        self.start()
        meter = self.meter()
        meter.hello()
        first = meter.send(glucose(2))
        self.assertEqual(meter.send(glucose(2)), first)
        self.assertEqual(self.counts()["repeated"], 2)
        self.assertEqual(self.counts()["stored"], 0)
        self.assertEqual(len(self.observations()), 2)

    def replay(self, number, *how):
        answer = self.gateway.ask("devices", "--config", self.gateway.config, "replay", number, *how)
        return [message for connection in answer["connections"] for message in connection["messages"]]

    def test_a_recording_is_run_through_a_changed_profile_and_nothing_is_stored(self):
        changed = self.site_profiles / "changed"
        shutil.copytree(self.profiles / "nova-statstrip", changed)
        profile = changed / "profile.toml"
        profile.write_text(profile.read_text().replace('id = "nova-statstrip"', 'id = "changed"'))
        (changed / "codes.csv").write_text("code,unit,loinc,display,ucum\n2341-6,mmol/L,14743-9,Another name,mmol/L\n")
        self.start()
        self.gateway.ask("devices", "capture", "meters", "--seconds", 600, "--no-wait")
        meter = self.meter(framed=True)
        meter.hello()
        meter.send(glucose(7, patient=_RECORDED_PATIENT))
        recorded = self.gateway.ask("devices", "capture", "meters", "--stop")
        before = (self.counts(), len(self.gateway.queue()))
        for how, name in (((), "Glucose"), (("--profile", "changed"), "Another name")):
            (message,) = self.replay(recorded["number"], *how)
            observation = next(one for one in message["resources"] if one["resourceType"] == "Observation")
            self.assertEqual(observation["code"]["text"], name)
            self.assertEqual(message["ids"], [{"system": "urn:oid:2.25.99", "value": _RECORDED_PATIENT}])
        self.assertEqual((self.counts(), len(self.gateway.queue())), before)
        self.assertEqual([one["number"] for one in self.gateway.ask("devices", "captures")["captures"]], [recorded["number"]])
        self.gateway.stop()
        self.start()
        self.assertEqual(len(self.replay(recorded["number"])), 1)
        self.assertEqual(plaintext.find([_RECORDED_PATIENT.encode()], [self.gateway.folder]), [])


if __name__ == "__main__":
    PointOfCare.build_dir, PointOfCare.profiles = (Path(argument).resolve() for argument in sys.argv[1:3])
    unittest.main(argv=sys.argv[:1])
