#!/usr/bin/env python3
"""worklist.py [--build DIR] [--dir DIR] [--steps N] [--queries N]: how soon the worklist answers while a study is being received.

Fills a state folder with scheduled steps (100,000), starts the daemon and asks it, one association for each query, by patient id, by
accession number, by the beginning of a name, and by day, modality and name, while storescu sends a CT series over and over.
Milliseconds from the association's request to its release. The last line is the JSON object; `matches` is the mean and `matches_max`
the most answers of a query.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import dicom_ingest
from start import fill, state_of

from rig.process import Process, free_ports

ROOT = Path(__file__).resolve().parents[2]
AET = dicom_ingest.AET


def built(build):
    if build:
        return Path(build).resolve()
    subprocess.run(["cmake", "--preset", "release"], cwd=ROOT, check=True, stdout=sys.stderr)
    build = ROOT / "build" / "release"
    targets = ["clinic-gatewayd", "bench_fill_holdings", "bench_worklist_queries"]
    subprocess.run(["cmake", "--build", build, "--target", *targets], check=True, stdout=sys.stderr)
    return build


class Series:
    """Sends files again and again from a thread of its own, each time as a study of its own."""

    def __init__(self, folder, port):
        self._folder, self._port, self._stopping = folder, port, threading.Event()
        self.sent, self._failed = 0, None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        pixels = [random.Random(seed).randbytes(dicom_ingest.FRAME_BYTES) for seed in range(8)]
        try:
            while not self._stopping.is_set():
                files = dicom_ingest.write_series(self._folder / str(self.sent), self.sent, 100, pixels)
                dicom_ingest.send(self._port, files, 1)
                shutil.rmtree(self._folder / str(self.sent))
                self.sent += 1
        except BaseException as failure:  # said by stop()
            self._failed = failure

    def stop(self):
        self._stopping.set()
        self._thread.join()
        if self._failed:
            raise SystemExit(f"the study was not received: {self._failed}")


def run(arguments, build, folder):
    [port] = free_ports(1)
    (folder / "gateway.toml").write_text(
        f'[site]\nname = "bench"\n[storage]\nstate_dir = "{folder}/state"\nreserve_mb = 64\n'
        f'[control]\nsocket = "{folder}/control.sock"\n'
        f'[dicom]\nbind = "127.0.0.1"\nport = {port}\nae_title = "{AET}"\npatient_id_issuer = "urn:oid:2.25.1"\n'
    )
    fill(folder, [build / "tests" / "bench" / "bench_fill_holdings", folder / "state", "0", "0", str(arguments.steps)])
    environment = {"CREDENTIALS_DIRECTORY": str(folder / "credentials"), **dicom_ingest.ENVIRONMENT}
    daemon = Process("clinic-gatewayd", [build / "daemon" / "clinic-gatewayd", "--config", folder / "gateway.toml"], folder / "log", environment)
    try:
        daemon.wait_ready(lambda: state_of(folder / "control.sock") == "ready", "is ready", 120)
        (folder / "series").mkdir()
        series = Series(folder / "series", port)
        try:
            asking = [build / "tests" / "bench" / "bench_worklist_queries", str(port), AET, str(arguments.queries), str(arguments.steps)]
            asked = subprocess.run(asking, stdout=subprocess.PIPE, text=True, env={**os.environ, **dicom_ingest.ENVIRONMENT})
        finally:
            series.stop()
        if asked.returncode != 0:
            raise SystemExit("a query was not answered")
    finally:
        daemon.stop()
    lines = [line.split() for line in asked.stdout.splitlines()]
    times = sorted(float(line[0]) for line in lines)
    answers = [int(line[1]) for line in lines]
    return {
        "p50_ms": round(statistics.median(times), 2),
        "p99_ms": round(times[int(len(times) * 0.99)], 2),
        "steps": arguments.steps,
        "queries": len(times),
        "matches": round(statistics.mean(answers), 1),
        "matches_max": max(answers),
        "series_received": series.sent,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", help="build folder of a release build, with the bench programs")
    parser.add_argument("--dir", default=os.environ.get("TMPDIR", "/var/tmp"))
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=2_000)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="gateway-worklist-", dir=arguments.dir))
    try:
        result = run(arguments, built(arguments.build), folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
