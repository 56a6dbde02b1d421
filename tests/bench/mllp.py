#!/usr/bin/env python3
"""mllp.py [--build DIR] [--dir DIR] [--held N] [--results N] [--seconds N] [--rounds N]: how many HL7 messages a second are taken in.

Fills a state folder with 500,000 ORU messages that nobody has collected yet, starts the daemon on it, and sends it new ones over
MLLP, each after the positive answer to the one before: over 1 connection and over 64, interleaved with what they rest on, appending
4 KiB and fdatasync on the same disk. Each message (one order, --results results) is mapped, stored and queued for the hospital before
its answer. Figures are medians of the rounds, in messages a second; p99_ms_64 is the time to the answer. The last line is the
JSON object.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from start import built, daemon_of, fill, wait_until_ready

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))
from rig.process import accepts_connections, free_ports  # noqa: E402


def fdatasyncs_per_s(folder, seconds):
    file = os.open(folder / "appended", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        count, began = 0, time.monotonic()
        while time.monotonic() - began < seconds:
            os.write(file, b"x" * 4096)
            os.fdatasync(file)
            count += 1
        return count / (time.monotonic() - began)
    finally:
        os.close(file)


class Load:
    """Sends numbers nobody has sent before."""

    def __init__(self, build, port, first, arguments):
        self._sender, self._port, self._next = build / "tests" / "bench" / "bench_send_messages", port, first
        self._seconds, self._results = arguments.seconds, arguments.results

    def send(self, connections):
        command = [self._sender, str(self._port), str(connections), str(self._seconds), str(self._next), str(self._results)]
        sent = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if sent.returncode != 0:
            raise SystemExit("a message was not accepted")
        figures = json.loads(sent.stdout)
        self._next += figures["messages"] + connections
        return figures["messages"] / figures["seconds"], figures["p99_ms"]


def configure(folder):
    port, away = free_ports(2)
    (folder / "password").write_text("none")
    (folder / "password").chmod(0o600)
    (folder / "gateway.toml").write_text(
        f'[site]\nname = "mllp"\ntimezone = "UTC"\n[storage]\nstate_dir = "{folder}/state"\nreserve_mb = 16\n'
        f'[control]\nsocket = "{folder}/control.sock"\n'
        f'[dicom]\nbind = "127.0.0.1"\nport = {free_ports(1)[0]}\npatient_id_issuer = "urn:oid:2.25.1"\n'
        f'[uplink.his]\nkind = "fhir"\nurl = "https://127.0.0.1:{away}/fhir"\nusername = "bench"\npassword_file = "{folder}/password"\n'
        f'[device.lab]\nprotocol = "hl7"\nbind = "127.0.0.1"\nport = {port}\nmax_connections = 64\n'
    )
    return port


def measure(arguments, build, folder):
    port = configure(folder)
    fill(folder, [build / "tests" / "bench" / "bench_fill_messages", folder / "state", str(arguments.held), str(arguments.results)])
    rounds = []
    daemon = daemon_of(build, folder)
    try:
        wait_until_ready(daemon, folder)
        daemon.wait_ready(lambda: accepts_connections(port), "listens", 20)
        load = Load(build, port, arguments.held, arguments)
        for _ in range(arguments.rounds):
            fdatasync = fdatasyncs_per_s(folder, 2)
            alone, _ = load.send(1)
            together, p99_ms = load.send(64)
            rounds.append((fdatasync, alone, together, p99_ms))
            print(" ".join(f"{figure:.1f}" for figure in rounds[-1]), file=sys.stderr)
    finally:
        daemon.stop(timeout_s=120)
    fdatasync, alone, together, p99_ms = (statistics.median(values) for values in zip(*rounds))
    return {
        "fdatasync": round(fdatasync),
        "msgs_1": round(alone),
        "msgs_64": round(together),
        "p99_ms_64": round(p99_ms, 1),
        "ratio_fdatasync_1": round(alone / fdatasync, 3),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", help="build folder with the daemon, bench_fill_messages and bench_send_messages")
    parser.add_argument("--dir", default=os.environ.get("TMPDIR", "/var/tmp"))
    parser.add_argument("--held", type=int, default=500_000)
    parser.add_argument("--results", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    build = built(arguments.build, ["clinic-gatewayd", "clinic-gateway", "bench_fill_messages", "bench_send_messages"])
    folder = Path(tempfile.mkdtemp(prefix="gateway-mllp-", dir=arguments.dir))
    try:
        result = measure(arguments, build, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
