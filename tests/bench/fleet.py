"""fleet.py [--build DIR] [--dir DIR] [--gateways N] [--down S]: how a fleet comes back after central's broker was restarted.

1,000 gateways' health publishers (the daemon's own code, TLS and password, a session and a thread each) hold sessions on one Mosquitto
on loopback, which is stopped and started again after `--down` seconds. `back_s` from the broker listening again until the last gateway
has a session; `peak_to_mean` the busiest second's connects over the mean of all seconds until then. The last line is the JSON object.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from start import built

from rig import broker, pki
from rig.process import free_ports


def restart_under(gateways, central, down_s):
    """When the broker listens again, and when each gateway was back; both on the monotonic clock."""
    if gateways.stdout.readline() != "connected\n":
        raise SystemExit("the gateways did not connect")
    central.stop()
    time.sleep(down_s)  # what is measured: an outage of that length
    central.start()
    central.wait_ready()
    listening = time.monotonic()
    back = gateways.stdout.readline()
    if gateways.wait(60) != 0:
        raise SystemExit("the gateways did not come back")
    return listening, json.loads(back)


def figures(listening, back):
    back_s = max(max(back) - listening, 0.001)
    seconds = Counter(int(max(at - listening, 0)) for at in back)
    mean = len(back) / max(back_s, 1)
    return {"gateways": len(back), "back_s": round(back_s, 2), "peak_to_mean": round(max(seconds.values()) / mean, 2)}


def run(arguments, build, folder):
    authority = pki.make(folder / "pki")
    central = broker.Broker(folder / "broker", free_ports(1)[0], authority)
    central.wait_ready()
    secret = folder / "password"
    secret.write_text(broker.PASSWORD)
    secret.chmod(0o600)
    command = [build / "tests" / "bench" / "bench_fleet_gateways", arguments.gateways, "127.0.0.1", central.port, authority.ca, broker.USER, secret]
    gateways = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    try:
        listening, back = restart_under(gateways, central, arguments.down)
    finally:
        gateways.kill()
        gateways.wait()
        central.stop()
    return figures(listening, back) | {"down_s": arguments.down}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", help="build folder with bench_fleet_gateways")
    parser.add_argument("--dir", default=os.environ.get("TMPDIR", "/var/tmp"))
    parser.add_argument("--gateways", type=int, default=1_000)
    parser.add_argument("--down", type=float, default=10)
    arguments = parser.parse_args()
    build = built(arguments.build, ["bench_fleet_gateways"])
    folder = Path(tempfile.mkdtemp(prefix="gateway-fleet-", dir=arguments.dir))
    try:
        result = run(arguments, build, folder)
    finally:
        shutil.rmtree(folder)
    print(json.dumps(result))


if __name__ == "__main__":
    sys.exit(main())
