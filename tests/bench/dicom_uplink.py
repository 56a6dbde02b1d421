#!/usr/bin/env python3
"""dicom_uplink.py --build DIR [--slices N] [--large-mb N] [--rate BIT_S] [--cut-every S] [--cut-for S] [--orthanc-minutes N]: images over
a bad link: 2 Mbit/s, 300 ms round trip, 1 % loss, cut for 10 s every 60 s (rig/bad_link.py).

A CT series goes by STOW-RS to an Orthanc, compressed without loss (uplink.*.compress), a multi-frame object of 40 MB by resumable upload
to a gateway in the hub role beside it, which sends it on; both from one uplink of a clinic's gateway that had taken them in before. It
ends when Orthanc has them all.
goodput_ratio: bytes of the files as Orthanc got them, of what the link carries while it is up. resent_ratio: what TCP delivered to the
hospital's side beyond them, TLS and HTTP included. reencoding_saved_ratio: what compression took off the series' bytes.
orthanc_goodput_ratio: the same link for some minutes and the same files, sent by an Orthanc at the clinic to the one at the hospital (its
DICOMweb plugin's client), counted in the instances that arrived.

For a short trial: --slices 8 --large-mb 8 --orthanc-minutes 1. Needs root for the network namespaces, orthanc, stunnel4, dcmtk, and the
rig's Python environment (tests/integration/venv.sh DIR, then DIR/bin/python dicom_uplink.py). The last line is the JSON object.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))
from pydicom.uid import generate_uid  # noqa: E402
from rig import datasets  # noqa: E402
from rig.bad_link import BadLink  # noqa: E402
from rig.process import Process  # noqa: E402
from rig.wait import wait_until  # noqa: E402

TOKEN = "a-token-of-the-bench"
# Ports are the namespaces' own.
PACS, PACS_TLS, HUB, DICOM, TO_PACS, TO_HUB = 8042, 8043, 8443, 11112, 9001, 9002
PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"

BOX = """[site]
name = "bench"
[storage]
state_dir = "{folder}/state"
reserve_mb = 64
[keys]
passphrase_file = "{folder}/passphrase"
[control]
socket = "{folder}/control.sock"
"""

AS_HUB = """[api]
bind = "127.0.0.1"
port = {hub}
certificate_file = "{both}/cert.pem"
key_file = "{both}/key.pem"
[api_client.clinic]
scopes = ["system/ImagingStudy.c"]
token_sha256 = "{hash}"
[uplink.pacs]
kind = "stow"
url = "http://127.0.0.1:{pacs}/dicom-web"
"""

AS_CLINIC = """[dicom]
bind = "127.0.0.1"
port = {dicom}
[uplink.pacs]
kind = "stow"
url = "https://{address}:{to_pacs}/dicom-web"
ca_file = "{both}/cert.pem"
resumable_url = "https://{address}:{to_hub}/uploads"
resumable_over_mb = 4
resumable_token_file = "{both}/token"
compress = true
"""


class Scene:
    """Both sides of one link. Used in `with`: what it started ends with it."""

    def __init__(self, folder, options):
        self.folder, self.link = folder, BadLink(options.rate, options.delay, options.loss, options.cut_every, options.cut_for)
        self._build, self._running = options.build, []
        self._certify()
        self._count = folder / "bytes"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self._running):
            process.stop()
        self.link.__exit__()

    def _certify(self):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
            + ["-subj", "/CN=hospital", "-addext", f"subjectAltName=IP:{self.link.hospital_address}"]
            + ["-out", self.folder / "cert.pem", "-keyout", self.folder / "key.pem"],
            check=True,
            capture_output=True,
        )
        self._secret(self.folder / "token", TOKEN)

    def _secret(self, path, text):
        path.touch(mode=0o600)
        path.write_text(text + "\n")

    def run(self, name, argv):
        process = Process(name, argv, self.folder / f"{name}.log", cwd=self.folder)
        self._running.append(process)
        return process

    def orthanc(self, name, side, more):
        storage = self.folder / name
        storage.mkdir()
        config = {
            "StorageDirectory": str(storage), "IndexDirectory": str(storage), "TemporaryDirectory": str(storage), "HttpPort": PACS,
            "DicomServerEnabled": False, "AuthenticationEnabled": False, "RemoteAccessAllowed": True, "Plugins": [PLUGIN],
            "HttpsCACertificates": str(self.folder / "cert.pem"),
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": False, **more},
        }  # fmt: skip
        (storage / "orthanc.json").write_text(json.dumps(config))
        self.run(name, [*side, "Orthanc", storage / "orthanc.json"])
        wait_until(lambda: self.ask(side, "/statistics"), f"{name} answers", 60, expect=subprocess.CalledProcessError)

    def ask(self, side, path, *more):
        asked = subprocess.run([*side, "curl", "-sS", *more, f"http://127.0.0.1:{PACS}{path}"], check=True, capture_output=True)
        return json.loads(asked.stdout)

    def hospital(self):
        """Orthanc behind TLS, and what counts."""
        link, address = self.link, self.link.hospital_address
        self.orthanc("pacs", link.hospital, {})
        both = self.folder / "both.pem"
        both.write_bytes((self.folder / "cert.pem").read_bytes() + (self.folder / "key.pem").read_bytes())
        front = self.folder / "stunnel.conf"
        front.write_text(f"foreground = yes\npid =\nsyslog = no\n[pacs]\naccept = 127.0.0.1:{PACS_TLS}\nconnect = 127.0.0.1:{PACS}\ncert = {both}\n")
        self.run("stunnel", [*link.hospital, "stunnel4", front])
        pairs = [f"{address}:{TO_PACS}=127.0.0.1:{PACS_TLS}", f"{address}:{TO_HUB}=127.0.0.1:{HUB}"]
        self.run("relay", [*link.hospital, sys.executable, ROOT / "tests" / "bench" / "counting_relay.py", self._count, *pairs])
        wait_until(self._count.exists, "the relay counts", 20)

    def gateway(self, name, side, role, more):
        folder = self.folder / name
        folder.mkdir(mode=0o700)
        self._secret(folder / "passphrase", "a passphrase of the bench")
        token_hash = hashlib.sha256(TOKEN.encode()).hexdigest()
        values = {"hub": HUB, "pacs": PACS, "dicom": DICOM, "to_pacs": TO_PACS, "to_hub": TO_HUB, "hash": token_hash, "both": self.folder}
        config = (BOX + more).format(folder=folder, address=self.link.hospital_address, **values)
        (folder / "gateway.toml").write_text(config)
        self.run(name, [*side, self._build / "daemon" / "clinic-gatewayd", "--config", folder / "gateway.toml", "--role", role])
        wait_until(lambda: '"ready"' in self.command(name, "status"), f"{name} is ready", 60)

    def command(self, name, *arguments):
        tool = self._build / "daemon" / "clinic-gateway"
        argv = [tool, "--socket", self.folder / name / "control.sock", "--json", *arguments]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60).stdout

    def arrived(self):
        return self.ask(self.link.hospital, "/statistics")["CountInstances"]

    def delivered(self):
        return int(self._count.read_text())


def say(text):
    print(text, file=sys.stderr, flush=True)


def by_gateway(folder, options, files):
    with Scene(folder, options) as scene:
        scene.hospital()
        scene.gateway("hub", scene.link.hospital, "hub", AS_HUB)
        scene.gateway("clinic", scene.link.clinic, "clinic", AS_CLINIC)
        scene.command("clinic", "uplinks", "pause")
        paths = [one.path for one in files]
        subprocess.run([*scene.link.clinic, "storescu", "-aec", "CLINICGW", "127.0.0.1", str(DICOM), *paths], check=True, stdout=sys.stderr)
        before = scene.delivered()
        began = time.monotonic()
        scene.link.begin_cuts()
        scene.command("clinic", "uplinks", "resume")

        def has_all():
            say(f"{time.monotonic() - began:.0f} s: {scene.arrived()} of {len(files)}, {scene.delivered() - before} bytes")
            return scene.arrived() == len(files)

        wait_until(has_all, "all arrived", 24 * 3600, interval_s=5)
        up_s = scene.link.up_s()
        sizes = {path: path.stat().st_size for path in paths}
        useful = sum(one["FileSize"] for one in scene.ask(scene.link.hospital, "/instances?expand"))
        [large] = [one for one in files if sizes[one.path] == max(sizes.values())]
        series = sum(sizes.values()) - sizes[large.path]
        found = scene.ask(scene.link.hospital, "/tools/lookup", "--data", large.sop_uid)
        return {
            "goodput_ratio": round(useful / (scene.link.rate_byte_s * up_s), 3),
            "resent_ratio": round((scene.delivered() - before - useful) / useful, 4),
            "large_object_arrived": any(one["Type"] == "Instance" for one in found),
            "reencoding_saved_ratio": round((sum(sizes.values()) - useful) / series, 3),
            "bytes": useful,
            "link_s": round(time.monotonic() - began),
        }


def by_orthanc(folder, options, files):
    with Scene(folder, options) as scene:
        scene.hospital()
        server = {"hospital": {"Url": f"https://{scene.link.hospital_address}:{TO_PACS}/dicom-web/", "HasDelete": False}}
        scene.orthanc("sender", scene.link.clinic, {"Servers": server})
        sizes = {}
        for one in files:
            taken = scene.ask(scene.link.clinic, "/instances", "--data-binary", f"@{one.path}")
            sizes[taken["ID"]] = one.path.stat().st_size
        scene.link.begin_cuts()
        until = time.monotonic() + options.orthanc_minutes * 60
        # Its jobs give up after a failure: what has not arrived is sent again, as somebody at the clinic would.
        while time.monotonic() < until:
            there = set(scene.ask(scene.link.hospital, "/instances"))
            missing = [one for one in sizes if one not in there]
            if not missing:
                break
            wish = json.dumps({"Resources": missing, "Synchronous": False})
            job = scene.ask(scene.link.clinic, "/dicom-web/servers/hospital/stow", "--data", wish)["ID"]

            def ended():
                say(f"orthanc: {scene.arrived()} of {len(files)}")
                return time.monotonic() >= until or scene.ask(scene.link.clinic, f"/jobs/{job}")["State"] in ("Success", "Failure")

            wait_until(ended, "the job ended", 24 * 3600, interval_s=5)
        up_s = scene.link.up_s()
        there = set(scene.ask(scene.link.hospital, "/instances"))
        return round(sum(size for one, size in sizes.items() if one in there) / (scene.link.rate_byte_s * up_s), 3)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--slices", type=int, default=120)
    parser.add_argument("--large-mb", type=int, default=40)
    parser.add_argument("--rate", type=float, default=2e6)
    parser.add_argument("--delay", type=float, default=0.15)
    parser.add_argument("--loss", type=float, default=0.01)
    parser.add_argument("--cut-every", type=float, default=60)
    parser.add_argument("--cut-for", type=float, default=10)
    parser.add_argument("--orthanc-minutes", type=float, default=10)
    options = parser.parse_args()
    options.build = options.build.resolve()
    patient = datasets.Patient("Bench", "Mark", "BENCH0001")
    with tempfile.TemporaryDirectory(prefix="dicom-uplink-") as name:
        folder = Path(name)
        study = generate_uid()
        files = datasets.write_ct_series(folder / "ct", patient, "BENCH1", study, slices=options.slices)
        files += datasets.write_multiframe(folder / "large.dcm", patient, "BENCH2", generate_uid(), options.large_mb)
        (folder / "ours").mkdir()
        (folder / "orthanc").mkdir()
        figures = by_gateway(folder / "ours", options, files)
        if options.orthanc_minutes > 0:
            figures["orthanc_goodput_ratio"] = by_orthanc(folder / "orthanc", options, files)
    print(json.dumps(figures))
    sys.exit(0 if figures["large_object_arrived"] else 1)


if __name__ == "__main__":
    main()
