#!/usr/bin/env python3
"""drain.py [--build DIR] [--part hapi|link|both] [--resources N] [--observations N]: how quickly a gateway that was offline brings its
queue to the hospital.

hapi: N resources (20,000: patients with 99 Observations each) are entered over the gateway's own API while its uplink is away; then the
uplink is there. Beside it, in the same run, a plain loader sends the same resources to the same server in Bundles of the gateway's
size and kind, packed, four at a time, without any bookkeeping: half of them before the gateway, half after.

link: N small Observations (500,000; patients have 99 each) into a sink (fhir_sink.py) over a link of 2 Mbit/s, 300 ms round trip and 1 %
loss, cut for 10 s every 60 s (rig/bad_link.py). goodput_ratio is what of the link's bytes, while it was up, was taken by packed Bundles
that brought something new; resent_ratio what came again or in vain, of those. For a short trial: --observations 20000 --cut-every 10
--cut-for 3. Needs root, for the network namespaces.

Needs openjdk, Maven and the rig's Python environment (tests/integration/venv.sh DIR, then DIR/bin/python drain.py). The last line is the
JSON object; exit 1 when HAPI does not hold every resource exactly once.
"""

import argparse
import concurrent.futures
import gzip
import hashlib
import json
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))
import drain_link  # noqa: E402
from rig import https, pki  # noqa: E402
from rig.hapi import Hapi, build as build_hapi  # noqa: E402
from rig.process import Process, free_ports  # noqa: E402
from rig.wait import wait_until  # noqa: E402

TOKEN = "a token of the bench"
PER_PATIENT = 100
PER_BUNDLE = 500  # as the gateway's (sync/fhir_push_bundle.h)
AT_ONCE = 4

CONFIG = """[site]
name = "bench"
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
[api]
bind = "127.0.0.1"
port = {api_port}
certificate_file = "{pki.server.cert}"
key_file = "{pki.server.key}"
[api_client.bench]
scopes = ["system/*.cruds"]
token_sha256 = "{token}"
[uplink.his]
kind = "fhir"
url = "https://127.0.0.1:{his_port}/fhir"
ca_file = "{pki.ca}"
pull = []
"""


def made(count):
    """Patients first, each before its Observations."""
    resources = []
    patient = None
    for i in range(count):
        if i % PER_PATIENT == 0:
            patient = str(uuid.uuid4())
            resources.append(
                {"resourceType": "Patient", "id": patient, "name": [{"family": f"Bench{i}"}], "birthDate": "1980-01-02"}
            )
            continue
        resources.append(
            {
                "resourceType": "Observation",
                "id": str(uuid.uuid4()),
                "status": "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7"}], "text": "Glucose"},
                "subject": {"reference": f"Patient/{patient}"},
                "effectiveDateTime": f"2026-03-01T08:{i % 60:02}:00+01:00",
                "valueQuantity": {"value": i / 10, "unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L"},
            }
        )
    return resources


def bundles(resources):
    """What refers to another goes in a later Bundle, as with the gateway."""
    for wanted in ("Patient", "Observation"):
        chosen = [r for r in resources if r["resourceType"] == wanted]
        yield [
            {
                "resourceType": "Bundle",
                "type": "batch",
                "entry": [
                    {
                        "request": {"method": "PUT", "url": f"{r['resourceType']}/{r['id']}", "ifNoneMatch": "*"},
                        "resource": r,
                    }
                    for r in chosen[at : at + PER_BUNDLE]
                ],
            }
            for at in range(0, len(chosen), PER_BUNDLE)
        ]


def post(session, url, body, **headers):
    answer = session.post(url, data=body, headers={"Content-Type": "application/fhir+json", **headers}, timeout=600)
    if answer.status_code != 200:
        raise SystemExit(f"a Bundle was answered {answer.status_code}: {answer.text[:500]}")
    refused = [e for e in answer.json()["entry"] if not e["response"]["status"].startswith("20")]
    if refused:
        raise SystemExit(f"an entry was refused: {refused[0]}")


def load_plainly(url, ca, resources):
    """Resources per second."""
    packed = [[gzip.compress(json.dumps(b).encode(), 1) for b in part] for part in bundles(resources)]
    sessions = [https.session(ca) for _ in range(AT_ONCE)]

    def send(number, body):
        post(sessions[number % AT_ONCE], url, body, **{"Content-Encoding": "gzip", "Prefer": "return=minimal"})

    began = time.monotonic()
    for part in packed:
        lanes = [part[lane::AT_ONCE] for lane in range(AT_ONCE)]
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda lane: [send(lane, body) for body in lanes[lane]], range(AT_ONCE)))
    return len(resources) / (time.monotonic() - began)


class Box:
    def __init__(self, build, folder, certificates):
        self.build, self.folder, self.pki = build, folder, certificates
        self.api_port, self.dicom_port = free_ports(2)
        (folder / "passphrase").touch(mode=0o600)
        (folder / "passphrase").write_text("a passphrase of the bench\n")
        self.http = https.session(certificates.ca)
        self.http.headers["Authorization"] = f"Bearer {TOKEN}"

    def start(self, his_port):
        (self.folder / "gateway.toml").write_text(
            CONFIG.format(
                folder=self.folder,
                pki=self.pki,
                his_port=his_port,
                api_port=self.api_port,
                dicom_port=self.dicom_port,
                token=hashlib.sha256(TOKEN.encode()).hexdigest(),
            )
        )
        daemon = self.build / "daemon" / "clinic-gatewayd"
        self.process = Process("clinic-gatewayd", [daemon, "--config", self.folder / "gateway.toml"], self.folder / "log")
        self.process.wait_ready(lambda: self.status()["state"] == "ready", "is ready", 120, expect=subprocess.CalledProcessError)

    def status(self):
        tool = self.build / "daemon" / "clinic-gateway"
        asked = [tool, "--socket", self.folder / "control.sock", "--json", "status"]
        return json.loads(subprocess.run(asked, check=True, capture_output=True).stdout)

    def enter(self, resources):
        for part in bundles(resources):
            for bundle in part:
                post(self.http, f"https://127.0.0.1:{self.api_port}/fhir/", json.dumps(bundle))

    def waiting(self):
        queue = self.status()["uplinks"][0]
        return queue["waiting"] + queue["parked"]


def drained(box, his_port, count):
    """Resources per second, from the start of the daemon to an empty queue."""
    began = time.monotonic()
    box.start(his_port)
    wait_until(lambda: box.waiting() == 0, "the queue is empty", 3600, interval_s=0.2)
    return count / (time.monotonic() - began)


def count_at(session, url, kind):
    return session.get(f"{url}/{kind}?_summary=count", headers={"Cache-Control": "no-cache"}, timeout=60).json()["total"]


def against_hapi(build, folder, resources):
    """The figures of the HAPI part."""
    certificates = pki.make(folder / "pki")
    away, his_port = free_ports(2)
    hapi = Hapi(folder, his_port, certificates, build_hapi())
    box = Box(build, folder, certificates)
    try:
        box.start(away)
        entered = made(resources)
        box.enter(entered)
        print(f"{box.waiting()} wait", file=sys.stderr, flush=True)
        box.process.stop()
        hapi.wait_ready()
        his = https.session(certificates.ca)
        load_plainly(hapi.url, certificates.ca, made(1_000))  # Java has compiled what it needs
        half = resources // 2
        before = load_plainly(hapi.url, certificates.ca, made(half))
        by_gateway = drained(box, his_port, resources)
        after = load_plainly(hapi.url, certificates.ca, made(half))
        held = sum(count_at(his, hapi.url, kind) for kind in ("Patient", "Observation"))
        server = box.status()["uplinks"][0]["server"]
        box.process.stop()
    finally:
        hapi.stop()
    print(json.dumps({"server": server}), file=sys.stderr)
    plain = 2 / (1 / before + 1 / after)
    return {
        "resources": resources,
        "resources_per_s": round(by_gateway, 1),
        "plain_per_s": round(plain, 1),
        "ratio_plain": round(by_gateway / plain, 3),
        "held": held,
        "expected": 1_000 + 2 * half + resources,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release")
    parser.add_argument("--part", choices=("hapi", "link", "both"), default="both")
    parser.add_argument("--resources", type=int, default=20_000)
    parser.add_argument("--observations", type=int, default=500_000)
    parser.add_argument("--rate", type=float, default=2e6, help="bit/s")
    parser.add_argument("--delay", type=float, default=0.15, help="one way, seconds")
    parser.add_argument("--loss", type=float, default=0.01)
    parser.add_argument("--cut-every", type=float, default=60, help="seconds; 0: never")
    parser.add_argument("--cut-for", type=float, default=10, help="seconds")
    parser.add_argument("--watch", type=float, default=2, help="seconds between two looks at the sink")
    options = parser.parse_args()
    figures = {}
    with tempfile.TemporaryDirectory(prefix="gateway-drain-") as name:
        build = options.build.resolve()
        if options.part != "link":
            figures |= against_hapi(build, Path(name), options.resources)
        if options.part != "hapi":
            figures |= drain_link.measure(build, Path(name) / "link", options)
    print(json.dumps(figures))
    sys.exit(figures.get("held") != figures.get("expected"))


if __name__ == "__main__":
    main()
