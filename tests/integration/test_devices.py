"""test_devices.py BUILD_DIR PROFILES_DIR SAMPLES_DIR: analyzers and an HL7 sender of other hands (the hl7 package; rig/analyzer.py) through the real
daemon to HAPI, whose $validate must find no error in anything that came of what they sent: the profiles' fixtures, and the samples of other projects
(hl7v2/, astm/) where they are there.
"""

import collections
import functools
import os
import re
import shutil
import socket
import sys
import tempfile
import tty
import unittest
from pathlib import Path
from urllib.parse import urlsplit

import hl7
import requests
from hl7.client import MLLPClient
from rig import broker, hapi, pki
from rig.analyzer import Analyzer, Line, captured_frames, frames
from rig.fhir import Fhir
from rig.gateway import Gateway, Uplinks
from rig.laboratory import Laboratory
from rig.meter import Meter, documents_of
from rig.process import accepts_connections, free_ports
from rig.wait import wait_until

_TYPES = "Appointment Device DiagnosticReport DocumentReference Encounter Immunization Observation Patient ServiceRequest Specimen Task".split()
_PATIENCE_S = 300
_TUBES = "urn:oid:2.25.7"
_CAPTURES = {
    "abbott_afinion2.txt": "abbott-afinion-2",
    "cobas_c111.txt": "roche-cobas-c111",
    "dca_vantage.txt": "siemens-dca-vantage",
    "genexpert.txt": "cepheid-genexpert",
    "mini_vidas_mock.txt": "biomerieux-mini-vidas",
    "sysmex_xp100.txt": "sysmex-xp-xn",
}
_DEVICE = """
[device.{name}]
protocol = "astm"
profile = "{name}"
patient_id_issuer = "urn:oid:2.25.99"
specimen_id_issuer = "{tubes}"
"""
_FOLDER_DEVICE = """
[device.{name}]
protocol = "folder"
profile = "{name}"
folder = "{folder}"
settle_s = 1
patient_id_issuer = "urn:oid:2.25.99"
"""
_MQTT_DEVICE = """
[device.{name}]
protocol = "mqtt"
profile = "{name}"
broker = "ward"
patient_id_issuer = "urn:oid:2.25.99"
"""
_MONITOR = """
[device.{name}]
protocol = "hl7"
profile = "{name}"
bind = "127.0.0.1"
port = {port}
patient_id_issuer = "urn:oid:2.25.99"
"""
_METER = """
[device.{name}]
protocol = "poct1a"
profile = "{name}"
bind = "127.0.0.1"
port = {port}
patient_id_issuer = "urn:oid:2.25.99"
specimen_id_issuer = "{tubes}"
"""
_BROKER = """
[broker.ward]
host = "127.0.0.1"
port = {port}
ca_file = "{ca}"
username = "{user}"
password_file = "{password}"
"""
_LABORATORY = """
[uplink.laboratory]
kind = "hl7"
url = "mllp://127.0.0.1:{port}"
order_categories = ["http://snomed.info/sct|108252007"]
"""
_HL7_DEVICE = """
[device.lab]
protocol = "hl7"
bind = "127.0.0.1"
port = {port}
patient_id_issuer = "urn:oid:2.25.99"
[profiles]
shipped_dir = "{profiles}"
site_dir = "/nonexistent"
"""


class Devices(unittest.TestCase):
    build_dir = profiles = samples = None

    @classmethod
    def setUpClass(cls):
        folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="gateway-devices-")))
        certificates = pki.make(folder / "pki")
        models = models_of(cls.profiles, "astm")
        cls.folders = {name: folder / "drop" / name for name in models_of(cls.profiles, "folder")}
        monitors, meters = models_of(cls.profiles, "hl7"), models_of(cls.profiles, "poct1a")
        his_port, cls.hl7_port, pacs, mqtt, orders, *ports = free_ports(5 + len(models) + len(monitors) + len(meters))
        his = hapi.Hapi(folder, his_port, certificates, hapi.build(), tells=True)
        cls.addClassCleanup(his.stop)
        cls.ports = dict(zip([*models, *monitors, *meters], ports))
        cls.ours, theirs = os.openpty()
        tty.setraw(theirs)
        cls.serial_model = models[0]
        cls.speaking = models_of(cls.profiles, "mqtt")
        cls.ward = broker.Broker(folder / "broker", mqtt, certificates)
        cls.addClassCleanup(cls.ward.stop)
        cls.listener = functools.partial(broker.Subscriber, mqtt, certificates)
        password = folder / "ward-password"
        password.touch(mode=0o600)
        password.write_text(broker.PASSWORD)
        cls.laboratory = Laboratory(orders)
        cls.addClassCleanup(cls.laboratory.stop)
        config = _HL7_DEVICE.format(port=cls.hl7_port, profiles=cls.profiles) + _LABORATORY.format(port=orders)
        for name in models:
            where = f'serial_port = "{os.ttyname(theirs)}"\n' if name == cls.serial_model else f'bind = "127.0.0.1"\nport = {cls.ports[name]}\n'
            config += _DEVICE.format(name=name, tubes=_TUBES) + where
        config += _BROKER.format(port=mqtt, ca=certificates.ca, user=broker.USER, password=password)
        for name in monitors:
            config += _MONITOR.format(name=name, port=cls.ports[name])
        for name in meters:
            config += _METER.format(name=name, port=cls.ports[name], tubes=_TUBES)
        for name in cls.speaking:
            config += _MQTT_DEVICE.format(name=name)
        for name, drop in cls.folders.items():
            drop.mkdir(parents=True)
            config += _FOLDER_DEVICE.format(name=name, folder=drop)
        # Whatever comes from the HIS once it was pulled comes because HAPI said so.
        cls.gateway = Gateway(
            cls.build_dir,
            folder / "gateway",
            Uplinks(pacs, his_port, mqtt, certificates.ca),
            more_config=config,
            his_pace=f'poll_s = 86400\nhints_path = "{urlsplit(his.websocket_url).path}"',
        )
        cls.addClassCleanup(cls.gateway.stop)
        his.wait_ready(900)
        cls.his = Fhir(his.url, certificates.ca)
        cls.addClassCleanup(cls.his.close)
        cls.ward.wait_ready()
        cls.gateway.start()
        for port in [cls.hl7_port, *(port for name, port in cls.ports.items() if name != cls.serial_model)]:
            cls.gateway.process.wait_ready(lambda port=port: accepts_connections(port), f"listens on {port}", 60)

    def analyzer(self, model):
        if model == self.serial_model:
            return Analyzer(Line(self.ours))
        line = socket.create_connection(("127.0.0.1", self.ports[model]), timeout=20)
        self.addCleanup(line.close)
        return Analyzer(line)

    def send_hl7(self, path):
        """What MSA-1 of the answer says."""
        text = path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\r").replace("\n", "\r")
        message = hl7.parse(text.strip("\r\ufeff") + "\r")
        header = message.segment("MSH")
        # Original mode: some samples ask for no answer at all, which leaves a sender that waits for one waiting.
        for field in (15, 16):
            if len(header) > field:
                header[field] = hl7.Field("~", [""])
        with MLLPClient("127.0.0.1", self.hl7_port) as device:
            device.socket.settimeout(60)
            answer = device.send_message(message)
        return str(hl7.parse(answer.strip(b"\x0b\x1c\r").decode()).segment("MSA")[1])

    def send_all(self):
        if not self.samples.exists():
            print(f"skipped: the samples of other projects, which are not in {self.samples}", flush=True)
        for path in sorted((self.samples / "hl7v2").glob("*.hl7")):
            with self.subTest(path.name):
                self.assertIn(self.send_hl7(path), ("AA", "CA"))
        for name, model in _CAPTURES.items():
            if (self.samples / "astm" / name).exists():
                self.analyzer(model).send(captured_frames((self.samples / "astm" / name).read_bytes()))
        for path in sorted(self.profiles.glob("*/fixtures/*.astm")):
            analyzer = self.analyzer(path.parent.parent.name)
            records = [line for line in path.read_bytes().splitlines() if line]
            analyzer.send(frames(records))
            if any(record.startswith(b"Q") for record in records):
                self.assertEqual(analyzer.receive()[-1], "L|1|I")

    def monitor_all(self):
        """Every fixture of an HL7 profile, as its device sends them: a message at a time, in its own mode of acknowledgment."""
        for path in sorted(self.profiles.glob("*/fixtures/*.hl7")):
            with MLLPClient("127.0.0.1", self.ports[path.parent.parent.name]) as monitor:
                monitor.socket.settimeout(60)
                for message in re.split(r"(?=MSH\|)", path.read_bytes().decode())[1:]:
                    answer = hl7.parse(monitor.send_message(message).strip(b"\x0b\x1c\r").decode())
                    self.assertIn(str(answer.segment("MSA")[1]), ("AA", "AE", "CA", "CE"), path.name)

    def measure_all(self):
        """Every fixture of a point-of-care device, a document at a time."""
        for path in sorted(self.profiles.glob("*/fixtures/*.poct1a")):
            with socket.create_connection(("127.0.0.1", self.ports[path.parent.parent.name]), timeout=60) as line:
                meter = Meter(line, framed=path.read_bytes().startswith(b"\x0b"))
                for document in documents_of(path.read_bytes()):
                    # Answered in its turn; the host's own questions are for a device that stays.
                    if document.startswith(("<OBS", "<EVS")) and "&who;" not in document:
                        meter.send(document)

    def drop_all(self):
        """Every fixture of a folder's profile."""
        for name, drop in self.folders.items():
            for path in (self.profiles / name / "fixtures").iterdir():
                shutil.copyfile(path, drop / path.name)
        for drop in self.folders.values():
            wait_until(lambda drop=drop: not files_in(drop), "files are taken", 60)
            self.assertEqual(files_in(drop / "failed"), [])

    def publish_all(self):
        """Every fixture of a profile that speaks MQTT: the topic on a line of its own, and the payload."""
        sensor = self.listener("sensors")
        self.addCleanup(sensor.stop)
        wait_until(lambda: not any(self.spoken("problem")), "the gateway is at the broker", 60)
        fixtures = sorted(path for name in self.speaking for path in (self.profiles / name / "fixtures").glob("*.mqtt"))
        for path in fixtures:
            topic, _, payload = path.read_bytes().partition(b"\n")
            sensor.publish(topic.decode(), payload)
        wait_until(lambda: sum(counts["stored"] + counts["dead"] for counts in self.spoken("counts")) == len(fixtures), "all is taken", 60)

    def spoken(self, member):
        return [device[member] for device in self.gateway.status()["mqtt_devices"]["devices"]]

    def assign_all(self):
        """What nobody is known for is given to a patient, as a person would."""
        patient = self.his.search("Patient?_count=1")[0]["id"]
        for letter in self.gateway.letters():
            if letter["state"] == "dead":
                # Fixtures of what is held for a person.
                self.assertRegex(letter["reason"], "^not JSON|no row of the profile's codes.csv|SVC.role_cd is unknown|^no observation")
                continue
            self.assertEqual(letter["state"], "unassigned", letter["reason"])
            self.gateway.assign_letter(letter["number"], patient)

    def errors_of(self, resource):
        kind = resource["resourceType"]
        outcome = self.his.request("POST", f"{kind}/$validate", resource).json()
        return [
            f"{kind} {'/'.join(issue.get('expression', issue.get('location', [])))}: {issue.get('diagnostics')}"
            for issue in outcome["issue"]
            if issue["severity"] in ("error", "fatal")
        ]

    def warm_validator(self):
        """HAPI reads the definitions of R4 with the first question, which takes longer than it answers."""

        def answers():
            try:
                return self.his.request("POST", "Patient/$validate", {"resourceType": "Patient"}).ok
            except requests.Timeout:
                return False

        wait_until(answers, "HAPI validates", _PATIENCE_S)

    def test_orders_of_the_hospital_reach_the_laboratory(self):
        self.his.put({"resourceType": "Patient", "id": "ordering-1", "identifier": [{"system": "urn:oid:2.25.99", "value": "L-1"}],
                      "name": [{"family": "Ñandú", "given": ["Zoë"]}], "gender": "female", "birthDate": "1980-01-02"})
        order = {"resourceType": "ServiceRequest", "id": "order-1", "status": "active", "intent": "order", "priority": "stat",
                 "identifier": [{"type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "PLAC"}]}, "value": "O-1"}],
                 "category": [{"coding": [{"system": "http://snomed.info/sct", "code": "108252007"}]}],
                 "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7"}]}, "subject": {"reference": "Patient/ordering-1"}}
        self.his.put(order)
        self.assertEqual(self.order_heard(1), ["NW", "O-1", "S", "2345-7", "Ñandú", "L-1"])
        self.his.put({**order, "priority": "routine"})
        self.assertEqual(self.order_heard(2)[:3], ["XO", "O-1", "R"])
        # The rig's gateway asks for what is active only, so that this is how an order leaves.
        self.his.put({**order, "category": [{"coding": [{"system": "http://snomed.info/sct", "code": "103693007"}]}]})
        self.assertEqual(self.order_heard(3)[:3], ["CA", "O-1", "R"])

    def order_heard(self, count):
        """The laboratory's last message, which is the `count`-th."""
        wait_until(lambda: len(self.laboratory.heard()) >= count, f"the laboratory has {count} messages", 60)
        heard = self.laboratory.heard()
        self.assertEqual(len(heard), count)
        places = (("ORC", 1), ("ORC", 2), ("TQ1", 9), ("OBR", 4), ("PID", 5), ("PID", 3))
        return [heard[-1].extract_field(segment, 1, field, 1, 1) for segment, field in places]

    def test_what_comes_of_everything_is_valid(self):
        self.send_all()
        self.drop_all()
        self.monitor_all()
        self.measure_all()
        self.publish_all()
        wait_until(lambda: not self.gateway.queue(), "all has reached the hospital", _PATIENCE_S)
        self.assign_all()
        wait_until(lambda: not self.gateway.queue(), "the rest has reached the hospital", _PATIENCE_S)
        self.warm_validator()
        resources = [resource for kind in _TYPES for resource in self.his.search(f"{kind}?_count=200")]
        self.assertGreater(len(resources), 50)
        # The same shape has the same mistakes: a panel's hundred results need no hundred questions.
        shapes = {shape_of(resource): resource for resource in resources}
        found = collections.Counter(error for resource in shapes.values() for error in self.errors_of(resource))
        self.assertFalse(found, "\n".join(f"{count} x {error}" for error, count in found.most_common()))
        print(f"{len(resources)} resources, {len(shapes)} shapes valid")


def models_of(profiles, protocol):
    """The profiles of devices that speak it."""
    return sorted(path.parent.name for path in profiles.glob("*/profile.toml") if f'protocol = "{protocol}"' in path.read_text())


def files_in(folder):
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def shape_of(value):
    """A value's members and the forms of its texts, without ids, digits and references."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{shape_of(item)}" for key, item in sorted(value.items()) if key not in ("id", "meta")) + "}"
    if isinstance(value, list):
        return "[" + ",".join(sorted({shape_of(item) for item in value})) + "]"
    return re.sub(r"[0-9a-f-]{36}", "#", re.sub(r"\d", "9", str(value)))


if __name__ == "__main__":
    Devices.build_dir, Devices.profiles, Devices.samples = (Path(argument).resolve() for argument in sys.argv[1:4])
    unittest.main(argv=sys.argv[:1])
