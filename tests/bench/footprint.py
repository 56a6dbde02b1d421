#!/usr/bin/env python3
"""footprint.py [--build DIR] [--dir DIR] [--deb FILE] [--resources N] [--objects N] [--seconds N]: what the gateway takes from its box when
nothing happens.

Starts the daemon on a small state with every adapter listening, two uplinks and a broker it cannot reach (which is when a clinic is
offline and the back-offs run), lets it settle, then watches it for 60 s: `idle_mb` its resident memory at the end, `idle_cpu_percent` of
one core. `deb_mb` and `installed_mb` are the package's, the newest one in build/deb unless named. The last line is the JSON object.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from start import IDLE_S, ROOT, built, daemon_of, fill, wait_until_ready

from rig.process import free_ports

MIB = 1024 * 1024


def cpu_seconds(pid):
    """User and system time of the process so far (proc(5), fields 14 and 15 of stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def configuration(folder):
    dicom, hl7, api, nobody = free_ports(4)
    return (
        f'[site]\nname = "footprint"\ntimezone = "Europe/Madrid"\n[storage]\nstate_dir = "{folder}/state"\nreserve_mb = 16\n'
        f'[control]\nsocket = "{folder}/control.sock"\n'
        f'[dicom]\nbind = "127.0.0.1"\nport = {dicom}\npatient_id_issuer = "urn:oid:2.25.1"\n'
        f'[device.analyzer]\nprotocol = "hl7"\nbind = "127.0.0.1"\nport = {hl7}\npatient_id_issuer = "urn:oid:2.25.1"\n'
        f'[uplink.pacs]\nkind = "stow"\nurl = "https://127.0.0.1:{nobody}/dicom-web"\n'
        f'[uplink.his]\nkind = "fhir"\nurl = "https://127.0.0.1:{nobody}/fhir"\npull = ["Patient", "Task"]\n'
        f'[mqtt]\nhost = "127.0.0.1"\nport = {nobody}\n'
    )


def package(named):
    """Size of the package and of what it installs, in MiB."""
    found = [Path(named)] if named else sorted((ROOT / "build" / "deb").glob("clinic-gateway_*.deb"), key=os.path.getmtime)
    if not found:
        raise SystemExit("no package in build/deb: run packaging/build-deb.sh, or name one with --deb")
    field = subprocess.run(["dpkg-deb", "--field", found[-1], "Installed-Size"], check=True, stdout=subprocess.PIPE, text=True)
    return {"deb_mb": round(found[-1].stat().st_size / MIB, 1), "installed_mb": round(int(field.stdout) / 1024, 1)}


def watch(build, folder, seconds):
    daemon = daemon_of(build, folder)
    try:
        wait_until_ready(daemon, folder)
        time.sleep(IDLE_S)  # what is measured begins when the start's own work is done
        began, before = time.monotonic(), cpu_seconds(daemon.pid)
        time.sleep(seconds)
        used = (cpu_seconds(daemon.pid) - before) / (time.monotonic() - began)
        daemon.check_alive()
        return {"idle_mb": round(daemon.memory_mb("VmRSS"), 1), "idle_cpu_percent": round(100 * used, 2)}
    finally:
        daemon.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", help="build folder with the daemon and bench_fill_holdings")
    parser.add_argument("--dir", default=os.environ.get("TMPDIR", "/var/tmp"))
    parser.add_argument("--deb", help="the package that is measured")
    parser.add_argument("--resources", type=int, default=2_000)
    parser.add_argument("--objects", type=int, default=2_000)
    parser.add_argument("--seconds", type=int, default=60)
    arguments = parser.parse_args()
    build = built(arguments.build, ["clinic-gatewayd", "bench_fill_holdings"])
    folder = Path(tempfile.mkdtemp(prefix="gateway-footprint-", dir=arguments.dir))
    try:
        (folder / "gateway.toml").write_text(configuration(folder))
        filler = [build / "tests" / "bench" / "bench_fill_holdings", folder / "state", str(arguments.resources), str(arguments.objects), "0"]
        fill(folder, filler)
        result = watch(build, folder, arguments.seconds) | package(arguments.deb)
    finally:
        shutil.rmtree(folder)
    print(json.dumps(result))


if __name__ == "__main__":
    sys.exit(main())
