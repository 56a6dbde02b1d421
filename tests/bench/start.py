#!/usr/bin/env python3
"""start.py [--build DIR] [--dir DIR] [--resources N] [--objects N] [--starts N]: how soon the gateway is ready after years of work,
and what it then needs.

Fills a state folder (1,000,000 resources, 200,000 sealed objects), then starts the daemon several times with the credential that opens
its key slot, as systemd hands it over: `ready_s` from its start until its status says ready, `idle_mb` its resident memory when it has
been idle for 5 s. Medians. The page cache is as the start before left it. The last line is the JSON object.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))
from rig.process import Process, free_ports  # noqa: E402

IDLE_S = 5


def state_of(path):
    """The state in /v1/status, or nothing while nobody answers: no process of the command's in the way."""
    try:
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(5)
            asking.connect(str(path))
            asking.sendall(b"GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = b""
            while piece := asking.recv(65536):
                answer += piece
        return json.loads(answer.partition(b"\r\n\r\n")[2])["state"]
    except (OSError, ValueError, KeyError):
        return None


def fill(folder, filler):
    """Runs a filler, which prints the secret of the credential that opens its state, and lays the secret where a start finds it."""
    began = time.monotonic()
    filled = subprocess.run(filler, stdout=subprocess.PIPE, text=True)
    if filled.returncode != 0:
        raise SystemExit("the state could not be made")
    print(f"filled in {time.monotonic() - began:.0f} s", file=sys.stderr)
    (folder / "credentials").mkdir(mode=0o700)
    (folder / "credentials" / "slot-key").write_text(filled.stdout.strip())
    (folder / "credentials" / "slot-key").chmod(0o400)


def daemon_of(build, folder):
    command = [build / "daemon" / "clinic-gatewayd", "--config", folder / "gateway.toml"]
    return Process("clinic-gatewayd", command, folder / "log", env={"CREDENTIALS_DIRECTORY": str(folder / "credentials")})


def wait_until_ready(daemon, folder):
    began = time.monotonic()
    while state_of(folder / "control.sock") != "ready":
        daemon.check_alive()
        if time.monotonic() - began > 120:
            raise SystemExit(f"not ready after 120 s:\n{daemon.log_tail()}")
        time.sleep(0.005)


def start_once(build, folder):
    began = time.monotonic()
    daemon = daemon_of(build, folder)
    try:
        wait_until_ready(daemon, folder)
        ready_s = time.monotonic() - began
        time.sleep(IDLE_S)  # what is measured: idle for that long
        return ready_s, daemon.memory_mb("VmRSS")
    finally:
        daemon.stop()


def run(arguments, build, folder):
    [port] = free_ports(1)
    (folder / "gateway.toml").write_text(
        f'[site]\nname = "start"\n[storage]\nstate_dir = "{folder}/state"\nreserve_mb = 16\n'
        f'[control]\nsocket = "{folder}/control.sock"\n'
        f'[dicom]\nbind = "127.0.0.1"\nport = {port}\npatient_id_issuer = "urn:oid:2.25.1"\n'
    )
    fill(folder, [build / "tests" / "bench" / "bench_fill_holdings", folder / "state", str(arguments.resources), str(arguments.objects), "0"])
    starts = [start_once(build, folder) for _ in range(arguments.starts)]
    ready_s, idle_mb = (statistics.median(values) for values in zip(*starts))
    return {
        "ready_s": round(ready_s, 3),
        "idle_mb": round(idle_mb, 1),
        "resources": arguments.resources,
        "objects": arguments.objects,
    }


def built(build, targets):
    if build:
        return Path(build).resolve()
    subprocess.run(["cmake", "--preset", "release"], cwd=ROOT, check=True, stdout=sys.stderr)
    build = ROOT / "build" / "release"
    subprocess.run(["cmake", "--build", build, "--target", *targets], check=True, stdout=sys.stderr)
    return build


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", help="build folder with the daemon and bench_fill_holdings")
    parser.add_argument("--dir", default=os.environ.get("TMPDIR", "/var/tmp"))
    parser.add_argument("--resources", type=int, default=1_000_000)
    parser.add_argument("--objects", type=int, default=200_000)
    parser.add_argument("--starts", type=int, default=5)
    arguments = parser.parse_args()
    build = built(arguments.build, ["clinic-gatewayd", "clinic-gateway", "bench_fill_holdings"])
    folder = Path(tempfile.mkdtemp(prefix="gateway-start-", dir=arguments.dir))
    try:
        result = run(arguments, build, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
