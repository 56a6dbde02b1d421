"""test_senders.py BUILD_DIR: HL7 senders nobody here wrote, through the real daemon: PyPI's hl7apy, which checks its own messages and our
answers against the standard's structures, and npm's node-hl7-client. What is held afterwards is asked of the local FHIR API.
"""

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.core import Message
from hl7apy.parser import parse_message
from rig import pki
from rig.box import TOKEN, Box
from rig.fhir import Fhir
from rig.process import accepts_connections, free_ports
from rig.wait import wait_until

_NPM = "node-hl7-client@3.2.0"
_DEVICE = """
[device.ward]
protocol = "hl7"
bind = "127.0.0.1"
port = {hl7_port}
patient_id_issuer = "urn:oid:2.25.99"
"""
_SENT_AT = "20260301101500+0100"


def new_message(structure, kind, control_id):
    message = Message(structure, version="2.5.1", validation_level=VALIDATION_LEVEL.STRICT)
    header = {"msh_3": "HL7APY", "msh_4": "WARD", "msh_7": _SENT_AT, "msh_9": kind, "msh_10": control_id, "msh_11": "P", "msh_18": "UNICODE UTF-8"}
    fill(message.msh, header)
    return message


def fill(segment, fields):
    for field, value in fields.items():
        setattr(segment, field, value)


def admission():
    message = new_message("ADT_A01", "ADT^A01^ADT_A01", "APY-1")
    fill(message.evn, {"evn_2": _SENT_AT})
    fill(message.pid, {"pid_3": "APY-P1^^^^MR", "pid_5": "Ñandú^Zoë^^^^^L", "pid_7": "19800102", "pid_8": "F", "pid_16": "M"})
    fill(message.add_segment("NK1"), {"nk1_1": "1", "nk1_2": "Ñandú^Eva", "nk1_3": "MTH", "nk1_5": "^PRN^PH^^34^91^5551234"})
    fill(message.pv1, {"pv1_2": "I", "pv1_3": "WARD^3^B", "pv1_7": "77^Gil^Ana", "pv1_19": "V-1^^^HOSP"})
    return message


def result():
    message = new_message("ORU_R01", "ORU^R01^ORU_R01", "APY-2")
    group = message.add_group("ORU_R01_PATIENT_RESULT")
    patient = group.add_group("ORU_R01_PATIENT")
    fill(patient.pid, {"pid_3": "APY-P1^^^^MR", "pid_5": "Ñandú^Zoë^^^^^L", "pid_7": "19800102", "pid_8": "F"})
    order = group.add_group("ORU_R01_ORDER_OBSERVATION")
    fill(order.obr, {"obr_1": "1", "obr_2": "PL-1", "obr_4": "24323-8^Panel^LN", "obr_7": "20260301090000+0100", "obr_25": "F"})
    for number, (code, value, unit) in enumerate((("2345-7^Glucose^LN", "5.40", "mmol/L^^UCUM"), ("1988-5^CRP^LN", "065.88", "mg/L^^UCUM")), 1):
        observation = order.add_group("ORU_R01_OBSERVATION")
        fill(observation.obx, {"obx_1": str(number), "obx_2": "NM", "obx_3": code, "obx_5": value, "obx_6": unit, "obx_11": "F"})
    return message


class Senders(unittest.TestCase):
    build_dir = None

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="gateway-senders-")))
        keys = pki.make(cls.folder / "pki")
        [cls.hl7_port] = free_ports(1)
        box = Box(cls.build_dir, cls.folder / "box", keys, "clinic", _DEVICE, hl7_port=cls.hl7_port)
        cls.addClassCleanup(box.stop)
        box.start()
        box.process.wait_ready(lambda: accepts_connections(cls.hl7_port), "listens", 60)
        cls.held = Fhir(f"https://127.0.0.1:{box.port}/fhir", keys.ca, TOKEN)
        cls.addClassCleanup(cls.held.close)

    def send(self, message):
        """The answer, which hl7apy finds to be an ACK of the standard."""
        self.assertTrue(message.validate())
        with socket.create_connection(("127.0.0.1", self.hl7_port), timeout=60) as line:
            line.sendall(message.to_mllp().encode())
            heard = b""
            while not heard.endswith(b"\x1c\r"):
                more = line.recv(65536)
                self.assertTrue(more, "it hung up")
                heard += more
        answer = parse_message(heard.strip(b"\x0b\x1c\r").decode() + "\r", validation_level=VALIDATION_LEVEL.STRICT)
        self.assertTrue(answer.validate())
        return answer

    def only(self, query):
        [found] = self.held.search(query)
        return found

    def values(self, patient):
        """Test and value of all that was measured of the patient, numbers as they are written."""
        found = [self.held.read(f"Observation/{one['id']}") for one in self.held.search(f"Observation?subject=Patient/{patient['id']}")]
        return sorted((one["code"]["coding"][0]["code"], str(one["valueQuantity"]["value"])) for one in found)

    def test_hl7apy(self):
        for message in (admission(), result(), result()):
            answer = self.send(message)
            self.assertEqual((answer.msa.msa_1.value, answer.msa.msa_2.value), ("AA", message.msh.msh_10.value))
            self.assertEqual(answer.msh.msh_5.value, "HL7APY")
        patient = self.only("Patient?identifier=urn:oid:2.25.99|APY-P1")
        self.assertEqual((patient["name"][0]["family"], patient["name"][0]["given"], patient["gender"]), ("Ñandú", ["Zoë"], "female"))
        self.assertEqual(patient["contact"][0]["telecom"][0]["value"], "+34 91 5551234")
        visit = self.only(f"Encounter?subject=Patient/{patient['id']}")
        self.assertEqual((visit["status"], visit["class"]["code"], visit["identifier"][0]["value"]), ("in-progress", "IMP", "V-1"))
        self.assertEqual(visit["participant"][0]["individual"]["display"], "Ana Gil")
        self.assertEqual(self.values(patient), [("1988-5", "65.88"), ("2345-7", "5.40")])

    @unittest.skipUnless(shutil.which("npm"), "npm is not installed here")
    def test_node_hl7_client(self):
        modules = self.folder / "npm"
        modules.mkdir()
        subprocess.run(["npm", "install", "--silent", "--no-save", "--prefix", modules, _NPM], check=True, cwd=modules)
        sender = Path(__file__).with_name("rig") / "hl7_sender.js"
        with subprocess.Popen(["node", sender, modules, str(self.hl7_port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
            answers = [tuple(one) for one in json.loads(client.stdout.readline())]
            self.assertEqual(answers[0], ("AA", "NODE-1"))
            self.assertLessEqual(set(answers[1:]), {("AA", "NODE-2"), ("AA", "NODE-3")})
            wait_until(lambda: len(self.held.search("Observation?code=http://loinc.org|2823-3")) == 3, "all is held", 30)
            client.stdin.close()
        patient = self.only("Patient?identifier=urn:oid:2.25.99|NODE-P1")
        self.assertEqual((patient["name"][0]["family"], patient["name"][0]["given"]), ("Dupont", ["Zoé"]))
        self.assertEqual(self.values(patient), [("2823-3", "4.10"), ("2823-3", "4.20"), ("2823-3", "4.30")])


if __name__ == "__main__":
    Senders.build_dir = Path(sys.argv.pop(1))
    unittest.main(verbosity=2)
