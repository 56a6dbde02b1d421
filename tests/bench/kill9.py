#!/usr/bin/env python3
"""kill9.py [--build DIR] [--dir DIR] [--rounds N] [--senders N] [--seed N]: kill -9 in a loop on the daemon under load.

Each round starts the daemon, waits until it is ready, and kills it with SIGKILL a random moment later (0 to 400 ms, in every tenth
round 0 to 2 s; in every fifth it does not wait, and the kill comes while it opens) while several modalities (dcmtk's storescu) and an analyzer
(HL7 v2) send, an app edits FHIR resources, uplinks deliver to a small STOW-RS server that wants access tokens and to a FHIR server, the
command reads status and studies, and an operator backs up and rotates the database's key, the root key and the epochs.
What had no success is sent again, as devices do. At the end each of the operator's works must succeed, and the stopped state is
opened, and then once more as the backup restores it: both times every instance that was answered with success must be there with the
very bytes of its data set, every accepted message with its bytes and its one result, every edit in its order, the audit chain must be
whole, what the uplink's server was given must be byte-identical too, and none of the names, ids, pixel runs and secrets that went
through may be readable in state, backups, temporary folder or log. Exit code 1 if not, or where one of these never worked.

{"rounds", "acknowledged" (all of them), "lost", "corrupt", "instances", "messages", "edits", "delivered" (instances), "records_delivered",
"kills_while_sending", "backups", "rotations", "planted", "plaintext_hits"} is the last line. Without --build the release preset is built.
"""

import argparse
import hashlib
import http.server
import json
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))
sys.path.insert(0, str(ROOT / "tests" / "bench"))
from dicom_ingest import CT_STORAGE, dicom_head  # noqa: E402
from kill9_records import API_TOKEN, DEVICE, Analyzer, App, Hospital, lost_or_wrong  # noqa: E402
from rig import plaintext  # noqa: E402
from rig.process import Process, free_ports  # noqa: E402

AET = "KILLED"
# As long as what dicom_head() writes there.
NAMES = [f"Ulloa{letter}^Petra" for letter in "bcdfghklmnpr"]
IDS = [f"KILLID{number}" for number in range(21, 33)]
PASSPHRASE, TOKEN = "a long passphrase, 42 horses", "access-token-4711-of-the-pacs"
PIXEL_RUNS = 24
SIZES = (2_000, 40_000, 262_100, 525_000)
READER = Path("tests/bench/bench_open_holdings")


def data_set_of(part10):
    """The data set's bytes of a Part 10 file whose File Meta has its group length first."""
    length = struct.unpack("<I", part10[140:144])[0]
    return part10[144 + length :]


class Instances:
    """Makes files for the senders and remembers what each must be. Thread-safe."""

    def __init__(self, folder, seed):
        self._folder, self._lock, self._count = folder, threading.Lock(), 0
        self._random = random.Random(seed)
        self.digests, self.acknowledged, self.pixel_runs = {}, set(), []

    def fresh(self, sender):
        with self._lock:
            self._count += 1
            number, pixels = self._count, self._random.randbytes(self._random.choice(SIZES))
        study = f"1.2.826.0.1.3680043.10.99.{os.getpid()}.{sender}.{number // 40}"
        sop = f"{study}.1.{number}"
        # One frame's head, with another length of pixels: nobody on the way looks into them.
        head = dicom_head(CT_STORAGE, study, study + ".1", sop, number, 1)
        head = head.replace(b"Bench^Ingest", NAMES[number % len(NAMES)].encode())
        head = head.replace(b"BENCH-1 ", IDS[number % len(IDS)].encode())
        part10 = head[:-4] + struct.pack("<I", len(pixels)) + pixels
        if number % 7 == 0 and len(self.pixel_runs) < PIXEL_RUNS:
            self.pixel_runs.append(pixels[100:124])
        path = self._folder / f"{sop}.dcm"
        path.write_bytes(part10)
        self.digests[sop] = hashlib.sha256(data_set_of(part10)).hexdigest()
        return path


class Sender(threading.Thread):
    """One modality: associations of a few files each; what was not answered with success goes out again."""

    def __init__(self, number, port, instances):
        super().__init__(daemon=True)
        self._number, self._port, self._instances = number, port, instances
        self._pending, self.stopping, self.under_way = [], threading.Event(), False

    def run(self):
        while not self.stopping.is_set():
            while len(self._pending) < 6:
                self._pending.append(self._instances.fresh(self._number))
            if self._send() == 0:
                # Nobody there: the modality's own pause.
                self.stopping.wait(0.05)

    def _send(self):
        self.under_way = True
        done = subprocess.run(
            ["storescu", "-v", "-R", "-xe", "-to", "5", "-td", "10", "-aec", AET, "127.0.0.1", str(self._port), *map(str, self._pending)],
            env={**os.environ, "TCP_NODELAY": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self.under_way = False
        current, succeeded = None, set()
        for line in done.stdout.splitlines():
            if sending := re.search(r"Sending file: (\S+)", line):
                current = Path(sending[1])
            elif current and re.search(r"Received Store Response \(Success\)", line):
                succeeded.add(current)
        for path in succeeded:
            self._instances.acknowledged.add(path.stem)
            path.unlink()
        self._pending = [path for path in self._pending if path not in succeeded]
        return len(succeeded)


class StowServer:
    """Takes what the uplink sends with a token, remembers each data set's digest, and answers as PS3.18 wants it."""

    def __init__(self):
        self.digests, self.doubled, outer = {}, 0, self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/token":
                    return self.answer({"access_token": TOKEN, "token_type": "bearer", "expires_in": 300})
                if self.headers["Authorization"] != f"Bearer {TOKEN}":
                    return self.answer({}, 401)
                boundary = re.search(r'boundary="?([^";]+)', self.headers["Content-Type"])[1].encode()
                stored = []
                for part in body.split(b"--" + boundary)[1:-1]:
                    part10 = part.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n")
                    sop = sop_of(part10)
                    outer.doubled += sop in outer.digests
                    outer.digests[sop] = hashlib.sha256(data_set_of(part10)).hexdigest()
                    stored.append({"00081155": {"vr": "UI", "Value": [sop]}})
                self.answer({"00081199": {"vr": "SQ", "Value": stored}})

            def do_GET(self):
                sop = self.path.rpartition("SOPInstanceUID=")[2]
                self.answer([{"00080018": {"vr": "UI", "Value": [sop]}}] if sop in outer.digests else [])

            def answer(self, document, status=200):
                text = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json" if self.path == "/token" else "application/dicom+json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                """Its client is killed all the time."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


def sop_of(part10):
    """(0002,0003) of the File Meta, explicit little endian."""
    at = part10.index(b"\x02\x00\x03\x00UI")
    length = struct.unpack("<H", part10[at + 6 : at + 8])[0]
    return part10[at + 8 : at + 8 + length].rstrip(b"\0").decode()


class Reader(threading.Thread):
    """Somebody at the command line, all the time."""

    def __init__(self, tool, socket):
        super().__init__(daemon=True)
        self._tool, self._socket, self.stopping = tool, socket, threading.Event()

    def run(self):
        while not self.stopping.is_set():
            for command in ("status", "studies", "queue"):
                subprocess.run([self._tool, "--socket", self._socket, command, "--json"], capture_output=True, timeout=60)
            self.stopping.wait(0.2)


class Operator(threading.Thread):
    """Backs up and rotates keys, all the time; most of it is killed in the middle."""

    def __init__(self, gateway, seed):
        super().__init__(daemon=True)
        self._gateway, self._dice, self.stopping = gateway, random.Random(seed), threading.Event()
        self.backups, self.rotations = 0, 0

    def run(self):
        while not self.stopping.is_set():
            self._do(self._dice.choice(("backup", "backup", "database", "root", "epoch")))
            self.stopping.wait(0.05)

    def finish(self):
        """Each once more, without a kill."""
        until = time.monotonic() + 120
        for what in ("epoch", "root", "database", "backup"):
            # What a kill left unfinished is gone on with first.
            while "running already" in (done := self._do(what, 3600)).stderr and time.monotonic() < until:
                time.sleep(0.2)
            if done.returncode != 0:
                raise SystemExit(f"{what} does not work after all the kills: {done.stderr}")

    def _do(self, what, seconds=300):
        # Killed with its daemon as a rule; the one at the end takes everything that the rounds brought, and reads it back.
        command = ["backup", "--to", self._gateway.medium] if what == "backup" else ["keys", "rotate", what]
        tool = [self._gateway.tool, "--socket", self._gateway.socket, *command]
        done = subprocess.run(tool, capture_output=True, text=True, timeout=seconds)
        self.backups += done.returncode == 0 and what == "backup"
        self.rotations += done.returncode == 0 and what != "backup"
        return done


class Gateway:
    def __init__(self, build, folder, stow_port, hospital):
        self.port, self.device_port, self.api_port = free_ports(3)
        self.folder, self.process = folder, None
        self._daemon, self.tool = build / "daemon" / "clinic-gatewayd", build / "daemon" / "clinic-gateway"
        self.socket, self.passphrase, client_key = folder / "control.sock", folder / "passphrase", folder / "client.pem"
        # What is searched for plaintext; the secrets themselves lie beside it.
        self.written = folder / "written"
        self.state, self.medium, self.temporary = (self.written / name for name in ("state", "medium", "tmp"))
        self.temporary.mkdir(parents=True)
        self.medium.mkdir()
        self.passphrase.write_text(PASSPHRASE)
        curve = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384", "-out", client_key]
        subprocess.run(curve, check=True, capture_output=True)
        for secret in (self.passphrase, client_key):
            secret.chmod(0o600)
        (folder / "gateway.toml").write_text(
            f'[site]\nname = "kill9"\ntimezone = "UTC"\n[storage]\nstate_dir = "{self.state}"\nreserve_mb = 16\n'
            f'[keys]\npassphrase_file = "{self.passphrase}"\n[control]\nsocket = "{self.socket}"\n'
            f'[dicom]\nbind = "127.0.0.1"\nport = {self.port}\nae_title = "{AET}"\npatient_id_issuer = "urn:oid:2.25.1"\n'
            f'[uplink.pacs]\nkind = "stow"\nurl = "http://127.0.0.1:{stow_port}/dicom-web"\n'
            f'token_url = "http://127.0.0.1:{stow_port}/token"\nclient_id = "kill9"\nclient_key_id = "1"\n'
            f'client_key_file = "{client_key}"\n'
            f'[uplink.his]\nkind = "fhir"\nurl = "https://127.0.0.1:{hospital.port}/fhir"\nca_file = "{hospital.certificate}"\npull = []\n'
            f'[device.{DEVICE}]\nprotocol = "hl7"\nbind = "127.0.0.1"\nport = {self.device_port}\n'
            f'[api]\nbind = "127.0.0.1"\nport = {self.api_port}\ncertificate_file = "{hospital.certificate}"\nkey_file = "{hospital.key}"\n'
            f'[api_client.ward]\nscopes = ["system/*.cruds"]\ntoken_sha256 = "{hashlib.sha256(API_TOKEN.encode()).hexdigest()}"\n'
            '[log]\nlevel = "warn"\n'
        )

    def begin(self):
        command = ["env", f"TMPDIR={self.temporary}", self._daemon, "--config", self.folder / "gateway.toml"]
        self.process = Process("clinic-gatewayd", command, self.written / "log")

    def start(self):
        self.begin()
        self.process.wait_ready(self._is_ready, "is ready", 60)

    def restore(self):
        """The backup, brought to the box when it is bare again."""
        shutil.rmtree(self.state)
        command = [self.tool, "restore", "--from", self.medium, "--state-dir", self.state]
        done = subprocess.run(command, input=PASSPHRASE + "\n", capture_output=True, text=True, timeout=3600)
        if done.returncode != 0:
            raise SystemExit(f"the backup is not restored: {done.stderr}")

    def _is_ready(self):
        done = subprocess.run([self.tool, "--socket", self.socket, "status", "--json"], capture_output=True, text=True, timeout=60)
        return done.returncode == 0 and json.loads(done.stdout)["state"] == "ready"


def look(build, gateway, load):
    """Opens the stopped state and counts what is lost or corrupt."""
    done = subprocess.run([build / READER, gateway.state, gateway.passphrase], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"the state does not open: {done.stderr}")
    held, messages, versions, problems = {}, [], [], []
    *lines, audit = done.stdout.splitlines()
    if not audit.endswith("intact"):
        problems.append(audit)
    for line in lines:
        kind, rest = line.split(" ", 1)
        if kind == "message":
            messages.append(rest.split(" "))
        elif kind == "version":
            name, body = rest.split(" ", 1)
            versions.append((name, json.loads(body)))
        elif kind != "instance":
            raise SystemExit(f"{READER.name} says what nobody understands: {line[:200]!r}")
        else:
            sop, _, digest = rest.split(" ", 2)
            held.setdefault(sop, []).append(digest)
            if digest != load.instances.digests.get(sop):
                problems.append(f"held otherwise than it was sent: {line}")
    lost, wrong = lost_or_wrong(load.analyzer, load.app, messages, versions)
    lost += sorted(load.instances.acknowledged - held.keys())
    problems += [*wrong, *(f"doubled: {sop}" for sop, digests in held.items() if len(digests) > 1)]
    sent = load.instances.digests
    problems += [f"the uplink sent other bytes: {sop}" for sop, digest in load.stow.digests.items() if digest != sent.get(sop)]
    for text in [*(f"lost: {what}" for what in lost), *problems][:20]:
        print(text, file=sys.stderr)
    return len(lost), len(problems)


def search_plaintext(gateway, instances):
    """How many strings went in, and how many lie there to be read."""
    texts = [*NAMES, *IDS, PASSPHRASE, TOKEN, API_TOKEN]
    needles = [*(text.encode() for text in texts), *instances.pixel_runs]
    hits = plaintext.find(needles, [gateway.written])
    for hit in hits[:20]:
        print(f"in plaintext: {hit}", file=sys.stderr)
    return len(needles), len(hits)


class Load:
    """Everybody who works with the gateway."""

    def __init__(self, arguments, build, folder):
        for name in ("gateway", "files", "hospital"):
            (folder / name).mkdir()
        self.instances, self.stow = Instances(folder / "files", arguments.seed), StowServer()
        self.hospital = Hospital(folder / "hospital", *free_ports(1))
        self.gateway = gateway = Gateway(build, folder / "gateway", self.stow.port, self.hospital)
        self.senders = [Sender(number, gateway.port, self.instances) for number in range(arguments.senders)]
        self.analyzer = Analyzer(gateway.device_port, NAMES, IDS)
        self.app = App(gateway.api_port, self.hospital.certificate, NAMES)
        self.operator, self._reader = Operator(gateway, arguments.seed), Reader(gateway.tool, gateway.socket)

    def begin(self):
        for thread in self._threads():
            thread.start()

    def end(self):
        for thread in self._threads():
            thread.stopping.set()
        for thread in self._threads():
            thread.join()

    def is_sending(self):
        return any(sender.under_way for sender in self.senders)

    def accepted(self):
        """Of each kind, how many were answered with success."""
        edits = sum(len(values) for values in self.app.acknowledged.values())
        return {"instances": len(self.instances.acknowledged), "messages": len(self.analyzer.acknowledged), "edits": edits}

    def stop(self):
        if self.gateway.process:
            self.gateway.process.stop()
        self.stow.stop()
        self.hospital.stop()

    def _threads(self):
        return *self.senders, self.analyzer, self.app, self._reader, self.operator


def kill_in_a_loop(arguments, load):
    """How many kills met an instance under way."""
    dice, gateway, under_way = random.Random(arguments.seed), load.gateway, 0
    load.begin()
    for number in range(arguments.rounds):
        if opening := number % 5 == 4:
            gateway.begin()
        else:
            gateway.start()
        # The moment of the kill, not a wait for anything; now and then long enough for a backup to end.
        time.sleep(dice.uniform(0, 0.5 if opening else 2 if number % 10 == 0 else 0.4))
        under_way += load.is_sending()
        gateway.process.kill()
        if (number + 1) % 25 == 0:
            print(f"{number + 1} rounds, accepted: {load.accepted()}", file=sys.stderr)
    load.end()
    return under_way


def run(arguments, build, folder):
    load = Load(arguments, build, folder)
    gateway = load.gateway
    try:
        # That the reader knows what this daemon writes must not show after two thousand rounds.
        gateway.start()
        gateway.process.stop()
        look(build, gateway, load)
        under_way = kill_in_a_loop(arguments, load)
        gateway.start()
        load.operator.finish()
        records_delivered = load.hospital.received()
    finally:
        load.stop()
    planted, hits = search_plaintext(gateway, load.instances)
    lost, corrupt = look(build, gateway, load)
    gateway.restore()
    lost_in_backup, corrupt_in_backup = look(build, gateway, load)
    if load.analyzer.last_refusal:
        print(f"the last message that was refused: {load.analyzer.last_refusal!r}", file=sys.stderr)
    accepted = load.accepted()
    return {
        "rounds": arguments.rounds,
        "acknowledged": sum(accepted.values()),
        "lost": lost + lost_in_backup,
        "corrupt": corrupt + corrupt_in_backup,
        **accepted,
        "delivered": len(load.stow.digests),
        "records_delivered": records_delivered,
        "kills_while_sending": under_way,
        "backups": load.operator.backups,
        "rotations": load.operator.rotations,
        "planted": planted,
        "plaintext_hits": hits,
    }


def built(build):
    if build:
        build = Path(build).resolve()
        if not (build / READER).exists():
            print(f"kill9: {READER.name}, which reads the state at the end, is not in {build}: building it", file=sys.stderr)
            subprocess.run(["cmake", "--build", build, "--target", READER.name], check=True, stdout=sys.stderr)
        return build
    subprocess.run(["cmake", "--preset", "release"], cwd=ROOT, check=True, stdout=sys.stderr)
    build = ROOT / "build" / "release"
    targets = ["clinic-gatewayd", "clinic-gateway", READER.name]
    subprocess.run(["cmake", "--build", build, "--target", *targets], check=True, stdout=sys.stderr)
    return build


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", help="build folder with the daemon and bench_open_holdings")
    parser.add_argument("--dir", default=os.environ.get("TMPDIR", "/var/tmp"))
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--senders", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    build = built(arguments.build)
    folder = Path(tempfile.mkdtemp(prefix="gateway-kill9-", dir=arguments.dir))
    try:
        result = run(arguments, build, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(result))
    good = not any(result[name] for name in ("lost", "corrupt", "plaintext_hits"))
    worked = ("instances", "messages", "edits", "delivered", "records_delivered", "backups", "rotations")
    return 0 if good and all(result[name] for name in worked) else 1


if __name__ == "__main__":
    sys.exit(main())
