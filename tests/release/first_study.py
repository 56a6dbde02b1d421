#!/usr/bin/env python3
"""first_study.py TREE LEADER: by the clock, from `apt install` in a booted machine to the first study at the hospital's PACS.

TREE is the machine's root folder, with the package as root/gateway.deb and all it needs downloaded; LEADER its first process. To be run on
the machine's own network (machine.sh: on_its_network): the stand-ins listen there, Debian's Orthanc as PACS and Mosquitto as broker, by
TLS and with passwords. The last line is {"first_study_s","instances"}; exit 1 after five minutes, or where a step fails.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))
from pydicom.uid import generate_uid  # noqa: E402
from rig import answers, broker, datasets, orthanc, pki, senders  # noqa: E402
from rig.process import free_ports  # noqa: E402
from rig.wait import wait_until  # noqa: E402

PATIENT = datasets.Patient("Montalbanejo", "Serafina", "SETUP0001", "19570908", "F")
SLICES = 20
LIMIT_S = 300
DICOM_PORT, AET = 11112, "CLINICGW"


class Machine:
    def __init__(self, tree, leader):
        self.tree, self._leader = Path(tree), leader

    def run(self, *words):
        shell = ["/bin/sh", "-c", 'cd && exec "$@"', "sh", *words]
        settings = ["HOME=/root", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
        done = subprocess.run(
            ["nsenter", "--target", self._leader, "--all", "--", "/usr/bin/env", "-i", *settings, *shell],
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def write(self, path, text, group="root", mode="0644"):
        """As docs/install.md has an administrator do it."""
        place = self.tree / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch(mode=0o600)
        place.write_text(text)
        self.run("chgrp", group, path)
        self.run("chmod", mode, path)


def main():
    machine = Machine(*sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="first-study-") as name:
        folder = Path(name)
        keys = pki.make(folder / "pki")
        pacs_port, pacs_dimse, mqtt_port = free_ports(3)
        pacs = orthanc.Orthanc(folder / "pacs", pacs_port, pacs_dimse, keys)
        central = broker.Broker(folder / "broker", mqtt_port, keys)
        try:
            pacs.wait_ready()
            central.wait_ready()
            study = datasets.write_ct_series(folder / "ct", PATIENT, "SETUP0001", generate_uid(), slices=SLICES)
            ports = {"pacs_port": pacs_port, "mqtt_port": mqtt_port}
            first_study(machine, pacs, keys, study, ports)
        finally:
            central.stop()
            pacs.stop()


def first_study(machine, pacs, keys, study, ports):
    started = time.monotonic()
    machine.run("apt-get", "install", "-y", "--no-install-recommends", "/root/gateway.deb")
    machine.write("/etc/clinic-gateway/hospital-ca.pem", keys.ca.read_text())
    machine.write("/etc/clinic-gateway/pacs.password", orthanc.PASSWORD, "clinic-gateway", "0640")
    machine.write("/etc/clinic-gateway/mqtt.password", broker.PASSWORD, "clinic-gateway", "0640")
    machine.write("/etc/credstore/clinic-gateway.passphrase", "a long passphrase, 42 horses", mode="0600")
    names = {"aet": AET, "dicom_port": DICOM_PORT, "pacs_user": orthanc.USER, "mqtt_user": broker.USER}
    places = {"secrets": "/etc/clinic-gateway", "ca": "/etc/clinic-gateway/hospital-ca.pem"}
    machine.write("/root/answers.toml", answers.SITE.format(**ports, **names, **places))
    told = [json.loads(line) for line in machine.run("clinic-gateway", "--json", "setup", "--from", "/root/answers.toml").splitlines()]
    if told[0]["state"] != "ready" or not told[1]["recovery_code"]:
        raise SystemExit(f"setup ended with {told[0]}")
    senders.Sender(study, DICOM_PORT, AET).run(LIMIT_S)
    wait_until(lambda: len(pacs.instances()) == SLICES, "the study is at the PACS", LIMIT_S)
    took = time.monotonic() - started
    print(json.dumps({"first_study_s": round(took, 1), "instances": SLICES}))
    if took >= LIMIT_S:
        raise SystemExit(f"that took longer than {LIMIT_S} s")


if __name__ == "__main__":
    main()
