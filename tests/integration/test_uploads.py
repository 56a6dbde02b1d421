"""test_uploads.py BUILD_DIR: images too large for a bad link go by resumable upload (tus): from a clinic's gateway to one in the hub role
and on to Orthanc through kills and cuts; from our side to npm's @tus/server, and from npm's tus-js-client to ours.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import generate_uid
from rig import datasets, pki, senders
from rig.box import TOKEN, Box
from rig.link import RESET, Link
from rig.orthanc import PASSWORD, USER, Orthanc
from rig.process import Process, accepts_connections, free_ports
from rig.wait import wait_until

_PATIENT = datasets.Patient("Quintanavilla", "Esmeraldina", "TUSPATIENT0001", "19620214", "F")
_AET = "CLINICGW"
_PATIENCE_S = 120
_MEGABYTES = 40
_NPM = ("tus-js-client@4.3.1", "@tus/server@2.4.5", "@tus/file-store@2.1.1")
# What lies in sockets and is not on the disk when one side dies, in all the interruptions of one upload.
_SLACK = 10_000_000

_PACS = """\
[uplink.pacs]
kind = "stow"
url = "https://127.0.0.1:{pacs_port}/dicom-web"
ca_file = "{pki.ca}"
username = "{user}"
password_file = "{folder}/pacs"
"""

# Ten megabytes a second, so that there is a middle to interrupt.
_BY_PARTS = """\
certificate_file = "{pki.client.cert}"
key_file = "{pki.client.key}"
send_kbit_per_s = 80000
resumable_over_mb = 1
resumable_url = "{resumable_url}"
"""

_SERVER = """
import {Server} from '@tus/server';
import {FileStore} from '@tus/file-store';
const [port, directory] = process.argv.slice(2);
new Server({path: '/files', datastore: new FileStore({directory})}).listen({host: '127.0.0.1', port: Number(port)});
"""

_CLIENT = """
const fs = require('fs'), tus = require('tus-js-client');
const [endpoint, token, path, wish] = process.argv.slice(2);
const {parallel, killAt, digest, urlFile} = JSON.parse(wish);
let first = null;
const say = (what) => { console.log(JSON.stringify({first, ...what})); process.exit(0); };
const options = {
  endpoint, retryDelays: null, parallelUploads: parallel || 1,
  headers: {Authorization: 'Bearer ' + token}, metadata: digest ? {filename: 'image.dcm', sha256: digest} : {},
  onError: (error) => say({status: error.originalResponse ? error.originalResponse.getStatus() : 0, error: String(error)}),
  onSuccess: () => say({status: 200, url: upload.url}),
  onProgress: (bytes) => {
    first = first === null ? bytes : first;
    if (!killAt || bytes < killAt) return;
    fs.writeFileSync(urlFile, upload.url);
    process.kill(process.pid, 'SIGKILL');
  },
};
if (urlFile && fs.existsSync(urlFile)) options.uploadUrl = fs.readFileSync(urlFile, 'utf8');
const upload = new tus.Upload(fs.createReadStream(path), options);
upload.start();
"""


def data_set_bytes(content):
    """What stands in the file behind its File Meta Information."""
    head = dcmread(BytesIO(content), stop_before_pixels=True, specific_tags=[])
    return content[132 + 12 + head.file_meta.FileMetaInformationGroupLength :]


class Uploads(unittest.TestCase):
    build_dir = None

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="uploads-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.keys = pki.make(cls.folder / "pki")
        cls.pacs_port, dicom_port = free_ports(2)
        cls.pacs = Orthanc(cls.folder / "pacs", cls.pacs_port, dicom_port, cls.keys)
        cls.addClassCleanup(cls.pacs.stop)
        cls.hub = cls.box("hub", "hub", _PACS)
        cls.link = Link()
        cls.addClassCleanup(cls.link.stop)
        cls.hub.start()
        cls.pacs.wait_ready()

    @classmethod
    def box(cls, name, role, more, **values):
        values = {"pacs_port": cls.pacs_port, "user": USER, **values}
        box = Box(cls.build_dir, cls.folder / name, cls.keys, role, more, **values)
        box.write_secret("pacs", PASSWORD)
        cls.addClassCleanup(box.stop)
        return box

    def image(self, name, megabytes=_MEGABYTES):
        [image] = datasets.write_multiframe(self.folder / f"{name}.dcm", _PATIENT, "TUS0001", generate_uid(), megabytes)
        return image

    def wait_at_pacs(self, image):
        [held] = wait_until(lambda: self.pacs.instances().get(image.sop_uid), "the PACS has the image", _PATIENCE_S, interval_s=0.3)
        got = self.pacs.stored_file(held)
        self.assertEqual(hashlib.sha256(data_set_bytes(got)).digest(), hashlib.sha256(data_set_bytes(image.path.read_bytes())).digest())

    def clinic(self, name, port, url):
        line = self.link.add(name, port)
        clinic = self.box(name, "clinic", _PACS + _BY_PARTS, resumable_url=url.format(port=line.port))
        clinic.start()
        return clinic, line

    def wait_for_bytes(self, line, count):
        wait_until(lambda: line.bytes_up >= count, f"{count} bytes went", _PATIENCE_S, interval_s=0.01)

    def test_an_image_reaches_the_pacs_through_kills_and_cuts_and_only_the_rest_goes_again(self):
        image = self.image("large")
        clinic, line = self.clinic("clinic", self.hub.port, "https://127.0.0.1:{port}/uploads")
        senders.Sender([image], clinic.dicom_port, _AET).run(_PATIENCE_S)
        self.wait_for_bytes(line, 10_000_000)
        self.hub.process.kill()
        self.assertEqual(self.pacs.instances().get(image.sop_uid), None)
        self.hub.start()
        self.wait_for_bytes(line, 20_000_000)
        clinic.process.kill()
        clinic.start()
        self.wait_for_bytes(line, 30_000_000)
        self.link.cut(RESET)
        self.link.restore()
        self.wait_at_pacs(image)
        self.assertEqual(self.pacs.receipts()[image.sop_uid], 1)
        wait_until(lambda: json.loads(clinic.command("queue"))["queue"] == [], "the clinic knows", _PATIENCE_S)
        self.assertLess(line.bytes_up, image.path.stat().st_size + _SLACK)
        self.assertIn("ae:post", self.hub.command("audit", "export"))

    @unittest.skipUnless(shutil.which("npm"), "npm is not installed here")
    def test_peers_nobody_here_wrote(self):
        modules = self.folder / "npm"
        modules.mkdir()
        subprocess.run(["npm", "install", "--silent", "--no-save", "--prefix", modules, *_NPM], check=True, cwd=modules)
        (modules / "server.mjs").write_text(_SERVER)
        (modules / "client.js").write_text(_CLIENT)
        with self.subTest("our client, @tus/server"):
            self.send_to_tus_server(modules)
        with self.subTest("tus-js-client, our server"):
            self.receive_from_tus_js_client(modules)

    def send_to_tus_server(self, modules):
        stored = self.folder / "tus-server"
        stored.mkdir()
        [port] = free_ports(1)

        def serve():
            server = Process("@tus/server", ["node", modules / "server.mjs", port, stored], self.folder / "tus-server.log", cwd=modules)
            self.addCleanup(server.stop)
            server.wait_ready(lambda: accepts_connections(port), "listens", 30)
            return server

        server = serve()
        image = self.image("to-others", 25)
        clinic, line = self.clinic("other-clinic", port, "http://127.0.0.1:{port}/files")
        senders.Sender([image], clinic.dicom_port, _AET).run(_PATIENCE_S)
        self.wait_for_bytes(line, 10_000_000)
        server.kill()
        serve()
        wait_until(lambda: json.loads(clinic.command("queue"))["queue"] == [], "it was delivered", _PATIENCE_S)
        [file] = [path for path in stored.iterdir() if path.suffix != ".json"]
        self.assertEqual(data_set_bytes(file.read_bytes()), data_set_bytes(image.path.read_bytes()))
        self.assertLess(line.bytes_up, image.path.stat().st_size + _SLACK)
        clinic.stop()

    def receive_from_tus_js_client(self, modules):
        def upload(path, **wish):
            done = subprocess.run(
                ["node", modules / "client.js", f"https://127.0.0.1:{self.hub.port}/uploads", TOKEN, path, json.dumps(wish)],
                capture_output=True,
                text=True,
                timeout=_PATIENCE_S,
                env={**os.environ, "NODE_EXTRA_CA_CERTS": str(self.keys.ca)},
            )
            return json.loads(done.stdout) if done.stdout else done.returncode

        image = self.image("from-others", 30)
        digest = hashlib.sha256(image.path.read_bytes()).hexdigest()
        url_file = str(self.folder / "url")
        self.assertEqual(upload(image.path, killAt=10_000_000, urlFile=url_file, digest=digest), -9)
        resumed = upload(image.path, urlFile=url_file, digest=digest)
        self.assertEqual(resumed["status"], 200, resumed)
        self.assertGreater(resumed["first"], 5_000_000)
        self.wait_at_pacs(image)
        parallel = self.image("in-parallel", 12)
        self.assertEqual(upload(parallel.path, parallel=3)["status"], 200)
        self.wait_at_pacs(parallel)
        self.assertEqual(upload(parallel.path, digest=digest)["status"], 460)
        junk = self.folder / "junk"
        junk.write_bytes(b"no image" * 100)
        self.assertEqual(upload(junk)["status"], 422)


if __name__ == "__main__":
    Uploads.build_dir = Path(sys.argv.pop(1))
    unittest.main(verbosity=2)
