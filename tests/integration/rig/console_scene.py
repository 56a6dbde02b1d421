"""A clinic's gateway with something to show: real processes, a hub gateway as the hospital's HIS, Orthanc as its PACS.

`with Scene(build, folder) as scene` has everything delivered; `scene.make_trouble()` then takes the PACS away, lets both sides change
one patient, sends images under used UIDs and messages nobody can place. `scene.console_url` is where a browser goes; accounts are
`vera` (viewer), `olga` (operator) and `ada` (admin), all with PASSWORD.
"""

import contextlib
import datetime
import hashlib
import socket
import uuid
from pathlib import Path

import pydicom

from . import datasets, fhir, https, orthanc, pki, senders
from .box import ISSUER, TOKEN, UPLINK, Box
from .process import free_ports
from .wait import wait_until

PASSWORD = "four words of theirs"
METRICS_TOKEN = "a token of the scene's Prometheus"
PEOPLE = [
    datasets.Patient("QUIROGAXVALLE", "INESXMARIA", "C-10021", "19620414", "F"),
    datasets.Patient("OYELARANXBAKO", "SAMUELXTOBI", "C-10022", "19870930", "M"),
    datasets.Patient("LINDQVISTXHOLM", "ASTRIDXKAJSA", "C-10023", "20011105", "F"),
]

_CLINIC = """\
[console]
bind = "127.0.0.1"
port = {console_port}
certificate_file = "{pki.server.cert}"
key_file = "{pki.server.key}"
[metrics]
token_sha256 = "{metrics_hash}"
[uplink.pacs]
kind = "stow"
url = "https://127.0.0.1:{pacs_port}/dicom-web"
ca_file = "{pki.ca}"
username = "{orthanc.USER}"
password_file = "{folder}/pacs"
[device.analyzer]
protocol = "hl7"
bind = "127.0.0.1"
port = {hl7_port}
patient_id_issuer = "{issuer}"
"""


class Scene:
    def __init__(self, build, folder):
        self._build, self._folder = Path(build), Path(folder)
        self._undo = contextlib.ExitStack()

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self._undo.close()
            raise
        return self

    def __exit__(self, *_):
        self._undo.close()

    def _start(self):
        self.pki = pki.make(self._folder / "pki")
        pacs_port, pacs_dicom, self.console_port, self._hl7_port = free_ports(4)
        self.pacs = orthanc.Orthanc(self._folder / "pacs", pacs_port, pacs_dicom, self.pki)
        self._undo.callback(self.pacs.stop)
        self.pacs.wait_ready()
        self.hub = self._box("hospital", "hub", "")
        self.hub.start()
        self.hospital = self._api(self.hub.port)
        self._fill_hospital()
        metrics_hash = hashlib.sha256(METRICS_TOKEN.encode()).hexdigest()
        self.clinic = self._box(
            "san-martin", "clinic", _CLINIC + UPLINK, uplink="his", hub=self.hub, pull='["Patient", "ServiceRequest"]',
            console_port=self.console_port, hl7_port=self._hl7_port, pacs_port=pacs_port, orthanc=orthanc, metrics_hash=metrics_hash,
        )
        self.clinic.write_secret("pacs", orthanc.PASSWORD)
        self.clinic.start()
        self.app = self._api(self.clinic.port)
        for name, role in (("vera", "viewer"), ("olga", "operator"), ("ada", "admin")):
            self.clinic.command("accounts", "add", name, "--role", role, secret=PASSWORD)
        wait_until(lambda: all(self.app(f"Patient/p{i}") for i in range(len(PEOPLE))), "the patients are here", 60)
        self.send_study(0, "CT chest", 4)
        wait_until(lambda: '"waiting":0' in self.clinic.command("status"), "everything is delivered", 90)

    @property
    def console_url(self):
        return f"https://127.0.0.1:{self.console_port}/console/"

    def _box(self, name, role, more, **values):
        box = Box(self._build, self._folder / name, self.pki, role, more, **values)
        self._undo.callback(box.stop)
        return box

    def _api(self, port):
        session = https.session(self.pki.ca)
        session.headers["Authorization"] = f"Bearer {TOKEN}"
        self._undo.callback(session.close)

        def call(reference, body=None):
            url = f"https://127.0.0.1:{port}/fhir/{reference}"
            if body is None:
                answer = session.get(url, timeout=30)
                return answer.json() if answer.status_code == 200 else None
            answer = session.put(url, json=body, headers={"Content-Type": "application/fhir+json"}, timeout=30)
            answer.raise_for_status()
            return answer.json()

        return call

    def _fill_hospital(self):
        today = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        plans = [("CT", "CT chest"), ("US", "Ultrasound abdomen"), ("DX", "X-ray left hand")]
        for i, (person, (modality, description)) in enumerate(zip(PEOPLE, plans)):
            self.hospital(f"Patient/p{i}", fhir.patient_resource(f"p{i}", person, ISSUER))
            order = fhir.imaging_order(
                f"o{i}", f"p{i}", f"A-77{i}", modality, description, today + datetime.timedelta(hours=i)
            )
            order["requester"], order["performer"], order["locationReference"] = {"display": "Ward 3"}, [], []
            for empty in ("performer", "locationReference"):
                del order[empty]
            self.hospital(f"ServiceRequest/o{i}", order)

    def send_study(self, who, description, slices, seed=1):
        folder = self._folder / "images" / f"{who}-{seed}"
        study_uid = f"2.25.{uuid.uuid4().int}"
        instances = datasets.write_ct_series(folder, PEOPLE[who], f"A-77{who}", study_uid, slices, seed)
        for instance in instances:
            image = pydicom.dcmread(instance.path)
            image.StudyDescription = description
            image.save_as(instance.path)
        senders.storescu([i.path for i in instances], self.clinic.dicom_port, "CLINICGW", "CT_ROOM_1")
        return instances

    def send_report(self, who, description):
        """A study with no image in it."""
        [instance] = datasets.write_ct_series(self._folder / "images" / f"{who}-report", PEOPLE[who], f"A-77{who}", f"2.25.{uuid.uuid4().int}", 1)
        report = pydicom.dcmread(instance.path)
        report.SOPClassUID = report.file_meta.MediaStorageSOPClassUID = pydicom.uid.BasicTextSRStorage
        report.Modality, report.StudyDescription = "SR", description
        del report.PixelData
        report.save_as(instance.path)
        senders.storescu([instance.path], self.clinic.dicom_port, "CLINICGW", "REPORTS")

    def make_trouble(self):
        self.pacs.stop()
        self.send_study(1, "CT abdomen", 6, seed=2)
        sent = self.send_study(2, "CT head", 3, seed=3)
        self._send_under_used_uids(sent[:2])
        self._send_messages()
        self._change_on_both_sides()

    def _send_under_used_uids(self, instances):
        for instance in instances:
            image = pydicom.dcmread(instance.path)
            image.PixelData = image.PixelData[::-1]
            image.save_as(instance.path)
        senders.storescu([i.path for i in instances], self.clinic.dicom_port, "CLINICGW", "CT_ROOM_2")

    def _send_messages(self):
        unknown = PEOPLE[0]
        for text in (
            f"MSH|^~\\&|ANALYZER|LAB|GW|CLINIC|20260301101500+0100||ORU^R01^ORU_R01|1|P|2.5.1\rPID|1||||{unknown.family}^{unknown.given}||{unknown.birth_date}\r"
            "OBR|1|PL1|FI1|24323-8^Panel^LN|||20260301090000+0100\rOBX|1|NM|2345-7^Glucose^LN||5.0|mg/dL|70-110|N|||F\r",
            "MSH|^~\\&|ANALYZER|LAB|GW|CLINIC|20260301101600+0100||ZZZ^Z99|2|P|2.5.1\r",
        ):
            with socket.create_connection(("127.0.0.1", self._hl7_port), timeout=30) as device:
                device.sendall(b"\x0b" + text.encode() + b"\x1c\r")
                device.recv(4096)

    def _change_on_both_sides(self):
        """While they cannot talk: the hub is away for the clinic's edit, the clinic for the hub's."""
        self.hub.stop()
        ours = self.app("Patient/p2")
        ours["gender"], ours["birthDate"] = "other", "2001-11-06"
        ours["telecom"] = [{"system": "phone", "use": "mobile", "value": "+34 600 111 001"}]
        self.app("Patient/p2", ours)
        self.clinic.stop()
        self.hub.start()
        theirs = self.hospital("Patient/p2")
        theirs["gender"], theirs["birthDate"] = "male", "2001-11-15"
        self.hospital("Patient/p2", theirs)
        self.clinic.start()
        wait_until(lambda: '"open"' in self.clinic.command("reviews"), "somebody has to decide", 90)
