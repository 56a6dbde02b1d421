"""The real daemon: its configuration, its starts and deaths, and its command line tool.

All it writes goes below one folder (`gateway.folder`: state, log, TMPDIR), which is what a search for plaintext has to read.
"""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import broker, orthanc
from .process import Process, free_ports

AET = "CLINICGW"
SITE = "demo-clinic"
PATIENT_ID_ISSUER = "urn:oid:2.25.1234"

_CONFIG = """\
[site]
name = "{site}"
timezone = "Europe/Madrid"
[storage]
state_dir = "{folder}/state"
reserve_mb = 64
[keys]
passphrase_file = "{secrets}/passphrase"
[control]
socket = "{folder}/control.sock"
[dicom]
bind = "127.0.0.1"
port = {dicom_port}
ae_title = "{aet}"
# pynetdicom now and then leaves a request unsent (against storescp too): break off sooner, it sends again.
idle_timeout_s = 20
patient_id_issuer = "{issuer}"
[uplink.pacs]
kind = "stow"
url = "https://127.0.0.1:{uplinks.pacs_port}/dicom-web"
ca_file = "{uplinks.ca_file}"
username = "{orthanc.USER}"
password_file = "{secrets}/pacs"
[uplink.his]
kind = "fhir"
url = "https://127.0.0.1:{uplinks.his_port}/fhir"
ca_file = "{uplinks.ca_file}"
{his_pace}
pull = ["Patient", "ServiceRequest?status=active", "Task"]
[mqtt]
host = "127.0.0.1"
port = {uplinks.mqtt_port}
ca_file = "{uplinks.ca_file}"
username = "{broker.USER}"
password_file = "{secrets}/mqtt"
[log]
level = "info"
"""


@dataclass(frozen=True)
class Uplinks:
    """Where the gateway finds the hospital: loopback ports, and the authority of their certificates."""

    pacs_port: int
    his_port: int
    mqtt_port: int
    ca_file: Path


class CommandFailed(RuntimeError):
    """`clinic-gateway` ended with an error; the message is what it said."""


class Gateway:
    def __init__(self, build_dir, folder, uplinks, dicom_port=None, prefix=(), more_config="", his_pace="poll_s = 5"):
        """Write the configuration and secrets; `start()` runs it. `prefix` is put before the daemon's command line, `more_config`
        (whole TOML tables) after the configuration; `his_pace` is how it comes to know what is new at the HIS."""
        self.folder, self._prefix, self.process = Path(folder), list(prefix), None
        self.dicom_port = dicom_port or free_ports(1)[0]
        self._daemon = _built(build_dir, "clinic-gatewayd")
        self._tool = _built(build_dir, "clinic-gateway")
        self.log = self.folder / "log" / "gateway.log"
        self._socket = self.folder / "control.sock"
        for name in ("state", "log", "tmp"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        # Beside, not in, the folder that is searched for plaintext.
        secrets = self.folder.with_name(self.folder.name + "-config")
        secrets.mkdir(mode=0o700, exist_ok=True)
        _write_secret(secrets / "passphrase", "a long demo passphrase, 42 horses")
        _write_secret(secrets / "pacs", orthanc.PASSWORD)
        _write_secret(secrets / "mqtt", broker.PASSWORD)
        self.config = secrets / "gateway.toml"
        self.config.write_text(
            _CONFIG.format(
                site=SITE,
                folder=self.folder,
                secrets=secrets,
                dicom_port=self.dicom_port,
                aet=AET,
                issuer=PATIENT_ID_ISSUER,
                his_pace=his_pace,
                uplinks=uplinks,
                orthanc=orthanc,
                broker=broker,
            )
            + more_config
        )

    def start(self, crash_at=None, timeout_s=60):
        """Start and wait until it says ready. `crash_at` names a crash point ("store-committed:40") of a test build, at which
        the daemon kills itself with SIGKILL."""
        env = {"TMPDIR": str(self.folder / "tmp"), "TCP_NODELAY": "1"}
        if crash_at:
            env["CLINIC_GATEWAY_CRASH_AT"] = crash_at
        self.process = Process(
            "clinic-gatewayd",
            [*self._prefix, self._daemon, "--config", self.config],
            log=self.log,
            env=env,
            cwd=self.folder,
        )
        self.process.wait_ready(
            lambda: self.status()["state"] == "ready", "is ready", timeout_s, expect=CommandFailed
        )

    def kill(self):
        """kill -9; returns when it is gone."""
        self.process.check_alive()
        self.process.kill()

    def wait_crash(self, timeout_s):
        """Wait for the crash asked for with `crash_at`."""
        try:
            code = self.process.wait_exit(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"the daemon did not reach its crash point in {timeout_s} s; is it a build with GATEWAY_CRASH_POINTS?"
            ) from None
        if code != -9:
            raise AssertionError(f"the daemon ended with {code}, not by SIGKILL:\n{self.process.log_tail()}")

    def stop(self):
        if self.process is not None:
            self.process.stop()

    def status(self):
        return self.ask("status")

    def queue(self):
        """Rows of the outbox, as `clinic-gateway queue --json` prints them."""
        return self.ask("queue")["queue"]

    def reviews(self):
        """What both sides changed, as `clinic-gateway reviews --json` lists it."""
        return self.ask("reviews")["reviews"]

    def review(self, number):
        return self.ask("reviews", "show", number)

    def letters(self):
        """Messages of devices that wait for a person, as `clinic-gateway letters --json` lists them."""
        return self.ask("letters")["letters"]

    def assign_letter(self, number, patient):
        return self.ask("letters", "retry", number, "--patient", patient)

    def ask(self, *command):
        """What `clinic-gateway COMMAND --json` prints."""
        done = subprocess.run(
            [self._tool, "--socket", self._socket, *map(str, command), "--json"],
            capture_output=True,
            text=True,
            timeout=30,
        )
        if done.returncode != 0:
            raise CommandFailed(f"clinic-gateway {command[0]}: {done.stderr.strip() or done.stdout.strip()}")
        return json.loads(done.stdout)


def _built(build_dir, name):
    """The newest program of that name below the build folder."""
    found = [
        path
        for path in Path(build_dir).rglob(name)
        if path.is_file() and os.access(path, os.X_OK)
    ]
    if not found:
        raise FileNotFoundError(f"no {name} below {build_dir}; build it first")
    return max(found, key=lambda path: path.stat().st_mtime).resolve()


def _write_secret(path, text):
    path.touch(mode=0o600)
    path.write_text(text + "\n")
