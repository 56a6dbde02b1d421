"""A clinic's gateway with something to show: real processes, a hub gateway as the hospital's HIS, Orthanc as its PACS.

`with Scene(build, folder) as scene` has everything delivered; `scene.make_trouble()` then takes the PACS away, lets both sides change
one patient, sends images under used UIDs and messages nobody can place. `scene.console_url` is where a browser goes; accounts are
`vera` (viewer), `olga` (operator) and `ada` (admin), all with PASSWORD.
"""

import contextlib
import datetime
import hashlib
import socket
import subprocess
import uuid
from pathlib import Path

import pydicom

from . import datasets, fhir, https, orthanc, pki, senders
from .process import Process, free_ports
from .wait import wait_until

PASSWORD = "four words of theirs"
ISSUER = "urn:oid:2.25.1234"
METRICS_TOKEN = "a token of the scene's Prometheus"
_TOKEN = "a token of the scene, long enough"
PEOPLE = [
    datasets.Patient("QUIROGAXVALLE", "INESXMARIA", "C-10021", "19620414", "F"),
    datasets.Patient("OYELARANXBAKO", "SAMUELXTOBI", "C-10022", "19870930", "M"),
    datasets.Patient("LINDQVISTXHOLM", "ASTRIDXKAJSA", "C-10023", "20011105", "F"),
]

_BOX = """\
[site]
name = "{name}"
timezone = "Europe/Madrid"
[storage]
state_dir = "{folder}/state"
reserve_mb = 64
[keys]
passphrase_file = "{folder}/passphrase"
[control]
socket = "{folder}/control.sock"
[dicom]
bind = "127.0.0.1"
port = {dicom_port}
patient_id_issuer = "{issuer}"
[api]
bind = "127.0.0.1"
port = {api_port}
certificate_file = "{server.cert}"
key_file = "{server.key}"
client_ca_file = "{ca}"
[api_client.app]
scopes = ["system/*.cruds"]
token_sha256 = "{token_hash}"
[api_client.post]
scopes = ["system/*.cruds"]
certificate_name = "health-post"
"""

_CLINIC = """\
[console]
bind = "127.0.0.1"
port = {console_port}
certificate_file = "{server.cert}"
key_file = "{server.key}"
[metrics]
token_sha256 = "{metrics_hash}"
[uplink.his]
kind = "fhir"
url = "https://127.0.0.1:{hub_port}/fhir"
ca_file = "{ca}"
certificate_file = "{client.cert}"
key_file = "{client.key}"
poll_s = 1
pull = ["Patient", "ServiceRequest"]
[uplink.pacs]
kind = "stow"
url = "https://127.0.0.1:{pacs_port}/dicom-web"
ca_file = "{ca}"
username = "{orthanc.USER}"
password_file = "{folder}/pacs"
[device.analyzer]
protocol = "hl7"
bind = "127.0.0.1"
port = {hl7_port}
patient_id_issuer = "{issuer}"
"""


class _Box:
    """One gateway: its configuration, starts and stops."""

    def __init__(self, build, folder, role, values, more):
        folder.mkdir(mode=0o700)
        self.folder, self._build, self._role = folder, build, role
        (folder / "gateway.toml").write_text((_BOX + more).format(folder=folder, orthanc=orthanc, **values))
        for name, text in (("passphrase", "a long passphrase of the rig"), ("pacs", orthanc.PASSWORD)):
            (folder / name).touch(mode=0o600)
            (folder / name).write_text(text + "\n")
        self.process = None
        self.start()

    def start(self):
        daemon = self._build / "daemon" / "clinic-gatewayd"
        self.process = Process(
            "clinic-gatewayd", [daemon, "--config", self.folder / "gateway.toml", "--role", self._role], log=self.folder / "log"
        )
        self.process.wait_ready(lambda: '"ready"' in self.command("status"), "ready", 60)

    def command(self, *arguments, secret=None):
        tool = self._build / "daemon" / "clinic-gateway"
        done = subprocess.run(
            [tool, "--socket", self.folder / "control.sock", "--json", *map(str, arguments)],
            capture_output=True, text=True, timeout=60, input=secret,
        )
        return done.stdout + done.stderr


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
        ports = free_ports(8)
        names = ("hub_port", "pacs_port", "pacs_dicom", "dicom_port", "api_port", "console_port", "hl7_port", "hub_dicom")
        self.ports = dict(zip(names, ports))
        values = {
            **self.ports, "issuer": ISSUER, "ca": self.pki.ca, "server": self.pki.server, "client": self.pki.client,
            "token_hash": hashlib.sha256(_TOKEN.encode()).hexdigest(),
            "metrics_hash": hashlib.sha256(METRICS_TOKEN.encode()).hexdigest(),
        }
        self.pacs = orthanc.Orthanc(self._folder / "pacs", self.ports["pacs_port"], self.ports["pacs_dicom"], self.pki)
        self._undo.callback(self.pacs.stop)
        self.pacs.wait_ready()
        hub_values = {**values, "name": "hospital", "api_port": self.ports["hub_port"], "dicom_port": self.ports["hub_dicom"]}
        self.hub = _Box(self._build, self._folder / "hub", "hub", hub_values, "")
        self._undo.callback(lambda: self.hub.process.stop())
        self._hospital = self._api(self.ports["hub_port"])
        self._fill_hospital()
        self.clinic = _Box(self._build, self._folder / "clinic", "clinic", {**values, "name": "san-martin"}, _CLINIC)
        self._undo.callback(lambda: self.clinic.process.stop())
        self._app = self._api(self.ports["api_port"])
        for name, role in (("vera", "viewer"), ("olga", "operator"), ("ada", "admin")):
            self.clinic.command("accounts", "add", name, "--role", role, secret=PASSWORD)
        wait_until(lambda: all(self._app(f"Patient/p{i}") for i in range(len(PEOPLE))), "the patients are here", 60)
        self.send_study(0, "CT chest", 4)
        wait_until(lambda: '"waiting":0' in self.clinic.command("status"), "everything is delivered", 90)

    @property
    def console_url(self):
        return f"https://127.0.0.1:{self.ports['console_port']}/console/"

    def _api(self, port):
        session = https.session(self.pki.ca)
        session.headers["Authorization"] = f"Bearer {_TOKEN}"
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
            self._hospital(f"Patient/p{i}", fhir.patient_resource(f"p{i}", person, ISSUER))
            order = fhir.imaging_order(
                f"o{i}", f"p{i}", f"A-77{i}", modality, description, today + datetime.timedelta(hours=i)
            )
            order["requester"], order["performer"], order["locationReference"] = {"display": "Ward 3"}, [], []
            for empty in ("performer", "locationReference"):
                del order[empty]
            self._hospital(f"ServiceRequest/o{i}", order)

    def send_study(self, who, description, slices, seed=1):
        folder = self._folder / "images" / f"{who}-{seed}"
        study_uid = f"2.25.{uuid.uuid4().int}"
        instances = datasets.write_ct_series(folder, PEOPLE[who], f"A-77{who}", study_uid, slices, seed)
        for instance in instances:
            image = pydicom.dcmread(instance.path)
            image.StudyDescription = description
            image.save_as(instance.path)
        senders.storescu([i.path for i in instances], self.ports["dicom_port"], "CLINICGW", "CT_ROOM_1")
        return instances

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
        senders.storescu([i.path for i in instances], self.ports["dicom_port"], "CLINICGW", "CT_ROOM_2")

    def _send_messages(self):
        unknown = PEOPLE[0].family
        for text in (
            f"MSH|^~\\&|ANALYZER|LAB|GW|CLINIC|20260301101500+0100||ORU^R01^ORU_R01|1|P|2.5.1\rPID|1||||{unknown}^\r"
            "OBR|1|PL1|FI1|24323-8^Panel^LN|||20260301090000+0100\rOBX|1|NM|2345-7^Glucose^LN||5.0|mg/dL|70-110|N|||F\r",
            "MSH|^~\\&|ANALYZER|LAB|GW|CLINIC|20260301101600+0100||ZZZ^Z99|2|P|2.5.1\r",
        ):
            with socket.create_connection(("127.0.0.1", self.ports["hl7_port"]), timeout=30) as device:
                device.sendall(b"\x0b" + text.encode() + b"\x1c\r")
                device.recv(4096)

    def _change_on_both_sides(self):
        """While they cannot talk: the hub is away for the clinic's edit, the clinic for the hub's."""
        self.hub.process.stop()
        ours = self._app("Patient/p2")
        ours["gender"], ours["birthDate"] = "other", "2001-11-06"
        ours["telecom"] = [{"system": "phone", "use": "mobile", "value": "+34 600 111 001"}]
        self._app("Patient/p2", ours)
        self.clinic.process.stop()
        self.hub.start()
        theirs = self._hospital("Patient/p2")
        theirs["gender"], theirs["birthDate"] = "male", "2001-11-15"
        self._hospital("Patient/p2", theirs)
        self.clinic.start()
        wait_until(lambda: '"open"' in self.clinic.command("reviews"), "somebody has to decide", 90)
