"""One gateway with its FHIR API, configured from a few values: for scenes in which gateways are each other's peers."""

import hashlib
import subprocess

from .process import Process, free_ports

TOKEN = "a token of the rig, long enough"

_CONFIG = """\
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
port = {port}
certificate_file = "{pki.server.cert}"
key_file = "{pki.server.key}"
client_ca_file = "{pki.ca}"
[api_client.app]
scopes = ["system/*.cruds"]
token_sha256 = "{token_hash}"
[api_client.post]
scopes = ["system/*.cruds"]
certificate_name = "health-post"
"""

ISSUER = "urn:oid:2.25.1234"

# A hub's clients prove themselves by the certificate of `pki.client`.
UPLINK = """\
[uplink.{uplink}]
kind = "fhir"
url = "https://127.0.0.1:{hub.port}/fhir"
ca_file = "{pki.ca}"
certificate_file = "{pki.client.cert}"
key_file = "{pki.client.key}"
poll_s = 1
pull = {pull}
"""


class Box:
    """Runs from its making on; `stop()` and `start()` it again at will."""

    def __init__(self, build, folder, pki, role, more="", **values):
        """`more`: further TOML, formatted with `values` and with folder, port, dicom_port and pki."""
        folder.mkdir(mode=0o700)
        self.folder, self.port, self.dicom_port = folder, *free_ports(2)
        self._build, self._role = build, role
        token_hash = hashlib.sha256(TOKEN.encode()).hexdigest()
        config = (_CONFIG + more).format(
            name=folder.name, folder=folder, port=self.port, dicom_port=self.dicom_port, pki=pki, issuer=ISSUER, token_hash=token_hash, **values
        )
        (folder / "gateway.toml").write_text(config)
        self.write_secret("passphrase", "a long passphrase of the rig")
        self.process = None

    def write_secret(self, name, text):
        (self.folder / name).touch(mode=0o600)
        (self.folder / name).write_text(text + "\n")

    def start(self):
        daemon = self._build / "daemon" / "clinic-gatewayd"
        argv = [daemon, "--config", self.folder / "gateway.toml", "--role", self._role]
        self.process = Process("clinic-gatewayd", argv, log=self.folder / "log")
        self.process.wait_ready(lambda: '"ready"' in self.command("status"), "is ready", 60)

    def stop(self):
        if self.process is not None:
            self.process.stop()

    def command(self, *arguments, secret=None):
        """What `clinic-gateway --json` says, wherever it says it."""
        tool = self._build / "daemon" / "clinic-gateway"
        argv = [tool, "--socket", self.folder / "control.sock", "--json", *map(str, arguments)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, input=secret)
        return done.stdout + done.stderr
