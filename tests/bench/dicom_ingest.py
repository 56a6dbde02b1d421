#!/usr/bin/env python3
"""dicom_ingest.py [--build DIR] [--dir DIR] [--rounds N] [--slices N] [--large-mb N]: how fast the gateway takes in a CT series.

Measures, interleaved in the same run on the same files with TCP_NODELAY=1 on both ends: the gateway (encrypted, durable, one
uplink configured but away), `storescp +B` (plain, not durable), the same followed by `sync -f` of its folder, and Orthanc's DICOM
port; over 1 association, and over 4 on disjoint quarters. The sender is dcmtk's storescu. Each figure is the median of the rounds
in MB/s of file bytes, from starting the senders to the end of the last. Then one large multi-frame object for the daemon's
memory: peak resident size above idle while it arrives.

Without --build the release preset is configured and built. Needs dcmtk, orthanc and some GB below --dir (default: $TMPDIR or
/var/tmp), on the disk that is to be measured. The last line is the JSON object.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))
from rig.process import Process, accepts_connections, free_ports  # noqa: E402

AET = "BENCH"
PDU = "131072"
ENVIRONMENT = {"TCP_NODELAY": "1"}
CT_STORAGE, MULTI_FRAME = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.7.3"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
FRAME_BYTES = 512 * 512 * 2
MEASURED = ("ours_1", "storescp_1", "storescp_sync_1", "orthanc_1", "ours_4", "storescp_4")


def element(group, number, vr, value, pad=b" "):
    """One explicit little endian element; OB and OW only with the length of what follows them."""
    if vr in (b"OB", b"OW"):
        return struct.pack("<HH2sHI", group, number, vr, 0, len(value)) + value
    value += pad * (len(value) % 2)
    return struct.pack("<HH2sH", group, number, vr, len(value)) + value


def uid(group, number, value):
    return element(group, number, b"UI", value.encode(), b"\0")


def short(number, value):
    return element(0x0028, number, b"US", struct.pack("<H", value))


def dicom_head(sop_class, study, series, instance, number, frames):
    """Everything of a Part 10 file before the pixels' bytes."""
    meta = element(0x0002, 0x0001, b"OB", b"\0\1") + uid(2, 2, sop_class) + uid(2, 3, instance)
    meta += uid(2, 0x10, EXPLICIT_LITTLE) + uid(2, 0x12, "2.25.1")
    head = b"\0" * 128 + b"DICM" + element(2, 0, b"UL", struct.pack("<I", len(meta))) + meta
    head += uid(8, 0x16, sop_class) + uid(8, 0x18, instance)
    head += element(8, 0x20, b"DA", b"20260301") + element(8, 0x30, b"TM", b"091500")
    head += element(8, 0x60, b"CS", b"CT") + element(8, 0x1030, b"LO", b"Bench")
    head += element(0x10, 0x10, b"PN", b"Bench^Ingest") + element(0x10, 0x20, b"LO", b"BENCH-1")
    head += uid(0x20, 0x0D, study) + uid(0x20, 0x0E, series)
    head += element(0x20, 0x13, b"IS", str(number).encode())
    head += short(0x0002, 1) + element(0x28, 4, b"CS", b"MONOCHROME2")
    head += element(0x28, 8, b"IS", str(frames).encode()) if frames > 1 else b""
    for number_, value in ((0x10, 512), (0x11, 512), (0x100, 16), (0x101, 16), (0x102, 15), (0x103, 0)):
        head += short(number_, value)
    return head + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, FRAME_BYTES * frames)


def write_series(folder, round_number, slices, pixels):
    """The round's files: the same pixels, UIDs of their own, since a UID seen before would only be recognised."""
    folder.mkdir()
    study = f"1.2.826.0.1.3680043.10.77.{os.getpid()}.{round_number}"
    files = []
    for number in range(1, slices + 1):
        files.append(folder / f"{number:04}.dcm")
        head = dicom_head(CT_STORAGE, study, study + ".1", f"{study}.1.{number}", number, 1)
        files[-1].write_bytes(head + pixels[number % len(pixels)])
    return files


def write_large(path, frames, pixels):
    study = f"1.2.826.0.1.3680043.10.78.{os.getpid()}"
    with open(path, "wb") as out:
        out.write(dicom_head(MULTI_FRAME, study, study + ".1", study + ".1.1", 1, frames))
        for frame in range(frames):
            out.write(pixels[frame % len(pixels)])


def send(port, files, associations):
    """Seconds for all of it; every sender must end with success."""
    started = time.monotonic()
    senders = [
        subprocess.Popen(
            ["storescu", "-R", "-xe", "--max-send-pdu", PDU, "-aec", AET, "127.0.0.1", str(port), *map(str, files[n::associations])],
            env={**os.environ, **ENVIRONMENT},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for n in range(associations)
    ]
    outputs = [sender.communicate()[0] for sender in senders]
    seconds = time.monotonic() - started
    for sender, output in zip(senders, outputs):
        if sender.returncode != 0 or b"E: " in output:
            raise SystemExit(f"storescu to port {port} ended with {sender.returncode}: {output.decode(errors='replace')[-500:]}")
    return seconds


class Gateway:
    def __init__(self, build, folder):
        self.port, away = free_ports(2)
        self._tool, self._socket = build / "daemon" / "clinic-gateway", folder / "control.sock"
        (folder / "passphrase").write_text("a long passphrase, 42 horses")
        (folder / "password").write_text("none")
        for secret in ("passphrase", "password"):
            (folder / secret).chmod(0o600)
        config = folder / "gateway.toml"
        config.write_text(
            f'[site]\nname = "bench"\n[storage]\nstate_dir = "{folder}/state"\nreserve_mb = 64\n'
            f'[keys]\npassphrase_file = "{folder}/passphrase"\n[control]\nsocket = "{self._socket}"\n'
            f'[dicom]\nbind = "127.0.0.1"\nport = {self.port}\nae_title = "{AET}"\npatient_id_issuer = "urn:oid:2.25.1"\n'
            f'[uplink.pacs]\nkind = "stow"\nurl = "https://127.0.0.1:{away}/dicom-web"\n'
            f'username = "bench"\npassword_file = "{folder}/password"\n'
        )
        self.process = Process(
            "clinic-gatewayd", [build / "daemon" / "clinic-gatewayd", "--config", config], folder / "log", ENVIRONMENT
        )
        self.process.wait_ready(self._is_ready, "is ready", 60)

    def _is_ready(self):
        done = subprocess.run(
            [self._tool, "--socket", self._socket, "status", "--json"], capture_output=True, text=True, timeout=30
        )
        return done.returncode == 0 and json.loads(done.stdout)["state"] == "ready" and accepts_connections(self.port)


class Storescp:
    def __init__(self, folder, fork):
        [self.port], received = free_ports(1), folder / "received"
        received.mkdir(parents=True)
        argv = ["storescp", "+B", "-pdu", PDU, "-aet", AET, "-od", received, *(["--fork"] if fork else []), str(self.port)]
        self.process = Process("storescp", argv, folder / "log", ENVIRONMENT)
        self.process.wait_ready(lambda: accepts_connections(self.port), "listens", 20)


class Orthanc:
    def __init__(self, folder):
        self.port, http = free_ports(2)
        (folder / "storage").mkdir(parents=True)
        config = folder / "orthanc.json"
        settings = {
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "DicomAet": AET,
            "DicomPort": self.port,
            "HttpPort": http,
            "RemoteAccessAllowed": False,
            "DicomAlwaysAllowStore": True,
            "StorageCompression": False,
            "MaximumPduLength": int(PDU),
            "Plugins": [],
        }
        config.write_text(json.dumps(settings))
        self.process = Process("Orthanc", ["Orthanc", config], folder / "log", ENVIRONMENT)
        self.process.wait_ready(lambda: accepts_connections(self.port), "listens", 60)


def measure(targets, files, megabytes, sync_folder, into):
    """One round. Dirty pages of one target must not slow the next: the disk is quiet before each. Nothing is deleted between
    rounds: ext4 without a journal then looks for inodes that were not deleted lately at every new file, and all targets crawl."""
    gateway, plain, forking, orthanc = targets
    quarters = len(files) // 2

    def timed(name, port, part, associations, then=lambda: None):
        os.sync()
        seconds = send(port, part, associations)
        started = time.monotonic()
        then()
        seconds += time.monotonic() - started
        into[name].append(megabytes * len(part) / len(files) / seconds)

    # The gateway gets each half once: a file sent twice would only be recognised the second time.
    first, second = files[:quarters], files[quarters:]
    timed("ours_1", gateway.port, first, 1)
    timed("storescp_1", plain.port, first, 1)
    timed("storescp_sync_1", plain.port, second, 1, lambda: subprocess.run(["sync", "-f", sync_folder], check=True))
    timed("orthanc_1", orthanc.port, first, 1)
    timed("ours_4", gateway.port, second, 4)
    timed("storescp_4", forking.port, second, 4)


def peak_rss_mb(gateway, path):
    idle = gateway.process.memory_mb("VmRSS")
    # Starting derived the keys with Argon2.
    gateway.process.forget_peak()
    send(gateway.port, [path], 1)
    return gateway.process.memory_mb("VmHWM") - idle


def built(build):
    if build:
        return Path(build).resolve()
    subprocess.run(["cmake", "--preset", "release"], cwd=ROOT, check=True, stdout=sys.stderr)
    build = ROOT / "build" / "release"
    subprocess.run(["cmake", "--build", build, "--target", "clinic-gatewayd", "clinic-gateway"], check=True, stdout=sys.stderr)
    return build


def run(arguments, folder):
    pixels = [random.Random(seed).randbytes(FRAME_BYTES) for seed in range(8)]
    for name in ("gateway", "memory", "plain", "forking", "orthanc", "files"):
        (folder / name).mkdir()
    processes, speeds = [], {name: [] for name in MEASURED}
    build = built(arguments.build)
    try:
        targets = []
        for start in (
            lambda: Gateway(build, folder / "gateway"),
            lambda: Storescp(folder / "plain", False),
            lambda: Storescp(folder / "forking", True),
            lambda: Orthanc(folder / "orthanc"),
        ):
            targets.append(start())
            processes.append(targets[-1].process)
        for round_number in range(arguments.rounds):
            files = write_series(folder / "files" / str(round_number), round_number, 2 * arguments.slices, pixels)
            megabytes = sum(file.stat().st_size for file in files) / 1e6
            measure(targets, files, megabytes, folder / "plain", speeds)
            print(json.dumps({name: round(values[-1], 1) for name, values in speeds.items()}), file=sys.stderr)
        fresh = Gateway(build, folder / "memory")
        processes.append(fresh.process)
        large = folder / "files" / "large.dcm"
        write_large(large, arguments.large_mb * 1_000_000 // FRAME_BYTES, pixels)
        rss_mb = peak_rss_mb(fresh, large)
    finally:
        for process in processes:
            process.stop()
    return {name: statistics.median(values) for name, values in speeds.items()}, rss_mb


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", help="build folder with daemon/clinic-gatewayd of a release build")
    parser.add_argument("--dir", default=os.environ.get("TMPDIR", "/var/tmp"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slices", type=int, default=300, help="per figure and round, 525 KB each")
    parser.add_argument("--large-mb", type=int, default=1000)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="gateway-dicom-ingest-", dir=arguments.dir))
    try:
        speed, rss_mb = run(arguments, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    result = {name: round(speed[name], 1) for name in MEASURED}
    result["ratio_storescp_1"] = round(speed["ours_1"] / speed["storescp_1"], 2)
    result["ratio_storescp_4"] = round(speed["ours_4"] / speed["storescp_4"], 2)
    result["ratio_durable_1"] = round(speed["ours_1"] / speed["storescp_sync_1"], 2)
    result["ratio_orthanc_1"] = round(speed["ours_1"] / speed["orthanc_1"], 2)
    result["rss_mb"] = round(rss_mb, 1)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
