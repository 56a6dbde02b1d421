#!/usr/bin/env python3
"""api.py [--build DIR] [--dir DIR] [--resources N] [--seconds N] [--connections N]: how quick the local FHIR API is with a full replica.

Fills a replica (1,000,000 resources: patients with 99 Observations each), starts the daemon, and lets clients on kept-alive TLS
connections, each a process, read Observations by id, then search a patient's (by code and date range, newest first, 20 a page), for
`--seconds` each. Beside it, in the same run, the same client asks for a path the API refuses at once: what connection, TLS and client
cost here. The last line is the JSON object.
"""

import argparse
import hashlib
import http.client
import json
import multiprocessing
import random
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))
from rig.process import Process, free_ports  # noqa: E402

TOKEN = "a token of the bench"
PER_PATIENT = 100


def configure(folder, port, dicom_port):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        + ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
        + ["-out", folder / "server.pem", "-keyout", folder / "server.key"],
        check=True,
        capture_output=True,
    )
    (folder / "gateway.toml").write_text(
        f"""[site]
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
port = {port}
certificate_file = "{folder}/server.pem"
key_file = "{folder}/server.key"
[api_client.bench]
scopes = ["system/*.rs"]
token_sha256 = "{hashlib.sha256(TOKEN.encode()).hexdigest()}"
"""
    )


def connect(folder, port):
    context = ssl.create_default_context(cafile=str(folder / "server.pem"))
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=context)
    connection.connect()
    return connection


def ask(connection, path):
    connection.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"})
    answer = connection.getresponse()
    body = answer.read()
    return answer.status, body


def path_of(kind, dice, patients):
    patient = dice.randrange(patients)
    if kind == "read":
        return f"/fhir/Observation/o{patient}-{dice.randrange(1, PER_PATIENT)}"
    if kind == "search":
        code = f"http://loinc.org%7C100{dice.randrange(5)}-1"
        return f"/fhir/Observation?patient=p{patient}&code={code}&date=ge2018&_sort=-date&_count=20"
    return "/nothing"


def client(kind, folder, port, patients, seconds, seed, results):
    dice = random.Random(seed)
    connection = connect(folder, port)
    wanted = 404 if kind == "nothing" else 200
    times = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.perf_counter()
        status, body = ask(connection, path_of(kind, dice, patients))
        times.append(time.perf_counter() - began)
        if status != wanted:
            raise SystemExit(f"{kind} was answered {status}: {body[:300]}")
    results.put(times)


def measure(kind, folder, port, patients, seconds, connections):
    results = multiprocessing.Queue()
    workers = [
        multiprocessing.Process(target=client, args=(kind, folder, port, patients, seconds, seed, results))
        for seed in range(connections)
    ]
    for worker in workers:
        worker.start()
    times = sorted(t for _ in workers for t in results.get(timeout=seconds + 60))
    for worker in workers:
        worker.join()
    return len(times) / seconds, times[int(len(times) * 0.99)] * 1000


def wait_ready(daemon, folder, port):
    for _ in range(600):
        daemon.check_alive()
        try:
            if ask(connect(folder, port), "/fhir/Patient/p0")[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"not ready:\n{daemon.log_tail()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release")
    parser.add_argument("--dir", type=Path, help="where the folder is made; default: the system's temporary one")
    parser.add_argument("--resources", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--connections", type=int, default=4)
    options = parser.parse_args()
    build = options.build.resolve()
    subprocess.run(["ninja", "-C", build, "bench_fill_replica", "clinic-gatewayd"], check=True, stdout=sys.stderr)
    folder = Path(tempfile.mkdtemp(prefix="gateway-api-", dir=options.dir))
    try:
        (folder / "state").mkdir(mode=0o700)
        (folder / "passphrase").touch(mode=0o600)
        (folder / "passphrase").write_text("a passphrase of the bench\n")
        began = time.monotonic()
        filler = build / "tests" / "bench" / "bench_fill_replica"
        subprocess.run([filler, folder / "state", folder / "passphrase", str(options.resources)], check=True)
        print(f"filled in {time.monotonic() - began:.0f} s", file=sys.stderr)
        port, dicom_port = free_ports(2)
        configure(folder, port, dicom_port)
        daemon = Process("clinic-gatewayd", [build / "daemon" / "clinic-gatewayd", "--config", folder / "gateway.toml"], folder / "log")
        try:
            wait_ready(daemon, folder, port)
            run = {
                kind: measure(kind, folder, port, options.resources // PER_PATIENT, options.seconds, options.connections)
                for kind in ("nothing", "read", "search")
            }
        finally:
            daemon.stop()
    finally:
        shutil.rmtree(folder)
    print(
        json.dumps(
            {
                "resources": options.resources,
                "connections": options.connections,
                "reads_per_s": round(run["read"][0]),
                "read_p99_ms": round(run["read"][1], 2),
                "searches_per_s": round(run["search"][0]),
                "search_p99_ms": round(run["search"][1], 2),
                "refused_per_s": round(run["nothing"][0]),
                "refused_p99_ms": round(run["nothing"][1], 2),
            }
        )
    )


if __name__ == "__main__":
    main()
