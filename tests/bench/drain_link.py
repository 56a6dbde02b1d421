"""drain.py's second part: a queue of small Observations into a sink over a bad link."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))
from rig.bad_link import BadLink  # noqa: E402
from rig.process import Process  # noqa: E402
from rig.wait import wait_until  # noqa: E402

PORT = 8443

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
port = 11112
[uplink.his]
kind = "fhir"
url = "https://{address}:8443/fhir"
ca_file = "{folder}/sink.pem"
pull = []
"""


def fill(build, folder, observations):
    (folder / "passphrase").touch(mode=0o600)
    (folder / "passphrase").write_text("a passphrase of the bench\n")
    subprocess.run(["ninja", "-C", build, "bench_fill_replica"], check=True, stdout=sys.stderr)
    filler = build / "tests" / "bench" / "bench_fill_replica"
    (folder / "state").mkdir(mode=0o700)
    subprocess.run([filler, folder / "state", folder / "passphrase", str(observations), "his"], check=True)


def configure(folder, address):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        + ["-subj", "/CN=sink", "-addext", f"subjectAltName=IP:{address}"]
        + ["-out", folder / "sink.pem", "-keyout", folder / "sink.key"],
        check=True,
        capture_output=True,
    )
    (folder / "both.pem").write_bytes((folder / "sink.pem").read_bytes() + (folder / "sink.key").read_bytes())
    (folder / "gateway.toml").write_text(CONFIG.format(folder=folder, address=address))


class Report:
    """Asks the sink, from its own side of the link."""

    def __init__(self, link, folder):
        self._asked = link.hospital + ["curl", "-sS", "--cacert", folder / "sink.pem", f"https://{link.hospital_address}:{PORT}/report"]

    def __call__(self):
        return json.loads(subprocess.run(self._asked, check=True, capture_output=True).stdout)


def cpu_s(pid):
    times = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")


def measure(build, folder, options):
    """The figures of the link part."""
    folder.mkdir()
    fill(build, folder, options.observations)
    with BadLink(options.rate, options.delay, options.loss, options.cut_every, options.cut_for) as link:
        configure(folder, link.hospital_address)
        sink = link.hospital + [sys.executable, ROOT / "tests" / "bench" / "fhir_sink.py", "--bind", link.hospital_address]
        serving = Process("sink", sink + ["--port", PORT, "--certificate", folder / "both.pem"], folder / "sink.log")
        report = Report(link, folder)
        serving.wait_ready(lambda: report() is not None, "answers", 30, expect=subprocess.CalledProcessError)
        daemon = Process(
            "clinic-gatewayd", link.clinic + [build / "daemon" / "clinic-gatewayd", "--config", folder / "gateway.toml"], folder / "log"
        )
        try:
            daemon.wait_ready(lambda: report()["requests"] > 0, "sends", 120)
            link.begin_cuts()
            began, cpu = time.monotonic(), cpu_s(daemon.pid)
            wanted = options.observations - options.observations // 100  # the others are patients

            def has_all():
                came = report()
                print(f"{time.monotonic() - began:.0f} s: {came}", file=sys.stderr, flush=True)
                return came["resources"] >= wanted

            wait_until(has_all, "all came", 24 * 3600, interval_s=options.watch)
            seconds, up_s = time.monotonic() - began, link.up_s()
            came, cpu = report(), cpu_s(daemon.pid) - cpu
        finally:
            daemon.stop()
            serving.stop()
    return {
        "observations": wanted,
        "link_s": round(seconds),
        "cpu_us_each": round(cpu * 1e6 / wanted),
        "bytes_each": round(came["useful"] / wanted, 1),
        "goodput_ratio": round(came["useful"] / (link.rate_byte_s * up_s), 3),
        "resent_ratio": round((came["repeated"] + came["broken"]) / came["useful"], 4),
    }
