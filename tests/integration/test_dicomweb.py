"""test_dicomweb.py BUILD_DIR: the real daemon asked over DICOMweb by two clients nobody here wrote, PyPI's dicomweb-client and npm's in a
headless Chromium; what they get is what was sent, and what C-FIND of the same gateway says.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import unittest
from io import BytesIO
from pathlib import Path

import numpy
import requests
from dicomweb_client.api import DICOMwebClient
from dicomweb_client.session_utils import create_session
from playwright.sync_api import sync_playwright
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless, generate_uid
from pynetdicom import AE
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind
from rig import datasets, pki, senders
from rig.gateway import AET, Gateway, Uplinks
from rig.process import free_ports

_PATIENT = datasets.Patient("Quintanavilla", "Esmeraldina", "WEBPATIENT0001", "19620214", "F")
_PATIENCE_S = 120
_SLICES = 7
_FRAMES = 12
_TOKEN = "a token of the test"
_NPM_CLIENT = "dicomweb-client@0.11.3"
_AS_HELD = (("application/dicom", "*"),)

_SETTINGS = """\
[api]
bind = "127.0.0.1"
port = {port}
certificate_file = "{server.cert}"
key_file = "{server.key}"
[api_client.viewer]
scopes = ["system/ImagingStudy.rs"]
token_sha256 = "{hash}"
[api_client.lab]
scopes = ["system/Observation.rs"]
token_sha256 = "{other}"
"""

# In a page of the gateway's own origin.
_SCRIPT = """async ([url, token, study, series, instance]) => {
  const client = new DICOMwebClient.api.DICOMwebClient({url, headers: {Authorization: 'Bearer ' + token}});
  const hex = async (buffer) => Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', buffer)),
    (byte) => byte.toString(16).padStart(2, '0')).join('');
  const one = {studyInstanceUID: study, seriesInstanceUID: series, sopInstanceUID: instance};
  const parts = await client.retrieveStudy({studyInstanceUID: study});
  const frames = await client.retrieveInstanceFrames({...one, frameNumbers: [1]});
  const picture = await client.retrieveInstanceRendered({...one, mediaTypes: [{mediaType: 'image/png'}]});
  return {
    studies: await client.searchForStudies({queryParams: {StudyInstanceUID: study}}),
    series: await client.searchForSeries({studyInstanceUID: study}),
    instances: await client.searchForInstances({studyInstanceUID: study}),
    metadata: await client.retrieveInstanceMetadata(one),
    parts: await Promise.all(parts.map(hex)),
    frame: await hex(frames[0]),
    picture: Array.from(new Uint8Array([picture].flat()[0]).slice(0, 4)),
  };
}"""


def digest(content):
    return hashlib.sha256(content).hexdigest()


def data_set_bytes(content):
    """What stands in the file behind its File Meta Information."""
    head = dcmread(BytesIO(content), stop_before_pixels=True, specific_tags=[])
    return content[132 + 12 + head.file_meta.FileMetaInformationGroupLength :]


def value(match, tag):
    return match.get(tag, {}).get("Value", [None])[0]


class DicomWeb(unittest.TestCase):
    build_dir = None

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="dicomweb-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.keys = pki.make(cls.folder / "pki")
        nobody, port = free_ports(2)
        cls.gateway = Gateway(cls.build_dir, cls.folder / "gateway", Uplinks(nobody, nobody, nobody, cls.keys.ca))
        more = cls.gateway.config.parent / "conf.d"
        more.mkdir()
        settings = _SETTINGS.format(port=port, server=cls.keys.server, hash=digest(_TOKEN.encode()), other=digest(b"another"))
        (more / "api.toml").write_text(settings)
        cls.addClassCleanup(cls.gateway.stop)
        cls.gateway.start()
        cls.url = f"https://127.0.0.1:{port}/dicomweb"
        cls.study, cls.cine = generate_uid(), generate_uid()
        cls.instances = datasets.write_ct_series(cls.folder / "ct", _PATIENT, "WEB0001", cls.study, slices=_SLICES)
        cls.multiframe = datasets.write_multiframe(
            cls.folder / "cine.dcm", _PATIENT, "WEB0002", cls.cine, megabytes=_FRAMES * 524_288 // 1_000_000 + 1
        )
        cls.packed = cls.pack(cls.instances[0])
        sent = [*cls.instances, *cls.multiframe, cls.packed]
        senders.Sender(sent, cls.gateway.dicom_port, AET).run(_PATIENCE_S)
        cls.sent = {one.sop_uid: data_set_bytes(one.path.read_bytes()) for one in sent}
        session = create_session()
        session.headers["Authorization"] = f"Bearer {_TOKEN}"
        session.verify = str(cls.keys.ca)
        session.trust_env = False  # REQUESTS_CA_BUNDLE would count more
        cls.client = DICOMwebClient(cls.url, session=session)

    @classmethod
    def pack(cls, instance):
        """The first slice again, in RLE and a study of its own."""
        image = dcmread(instance.path)
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        image.StudyInstanceUID, image.SeriesInstanceUID = generate_uid(), generate_uid()
        image.compress(RLELossless, generate_instance_uid=False)
        path = cls.folder / "packed.dcm"
        image.save_as(path)
        return datasets.describe(path)

    def ask(self, path, token=_TOKEN, **headers):
        headers = {name.replace("_", "-"): text for name, text in headers.items()}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return requests.get(self.url + path, headers=headers, verify=str(self.keys.ca), timeout=_PATIENCE_S)

    def series_of(self, study):
        [series] = self.client.search_for_series(study)
        return value(series, "0020000E")

    def find(self, level, **keys):
        wish = Dataset()
        wish.QueryRetrieveLevel = level
        for keyword, text in keys.items():
            setattr(wish, keyword, text)
        model = StudyRootQueryRetrieveInformationModelFind
        ae = AE(ae_title="VIEWER")
        ae.add_requested_context(model)
        association = ae.associate("127.0.0.1", self.gateway.dicom_port, ae_title=AET)
        self.addCleanup(association.release)
        return [found for status, found in association.send_c_find(wish, model) if status.Status in (0xFF00, 0xFF01)]

    def test_searches_find_what_c_find_finds(self):
        by_web = self.client.search_for_studies(search_filters={"PatientName": "quintana*", "StudyDate": "19000101-"})
        by_dimse = self.find("STUDY", PatientName="quintana*", StudyDate="19000101-", StudyInstanceUID="", AccessionNumber="")
        self.assertEqual(
            {(value(one, "0020000D"), value(one, "00080050")) for one in by_web},
            {(one.StudyInstanceUID, one.AccessionNumber) for one in by_dimse},
        )
        self.assertEqual(len(by_web), 3)
        instances = self.client.search_for_instances(self.study, self.series_of(self.study))
        found = self.find("IMAGE", StudyInstanceUID=self.study, SOPInstanceUID="")
        self.assertEqual({value(one, "00080018") for one in instances}, {one.SOPInstanceUID for one in found})
        self.assertEqual(len(self.client.search_for_series(search_filters={"Modality": "CT"})), 2)
        self.assertEqual(self.client.search_for_studies(search_filters={"PatientID": "NOBODY"}), [])

    def test_searches_come_in_pages_and_say_what_they_do_not_do(self):
        pages = [self.ask(f"/studies?limit=2&offset={offset}") for offset in (0, 2, 4)]
        self.assertEqual([page.status_code for page in pages], [200, 200, 204])
        self.assertEqual([len(page.json()) for page in pages[:2]], [2, 1])
        self.assertEqual(["Warning" in page.headers for page in pages], [True, False, False])
        fuzzy = self.ask("/studies?fuzzymatching=true&includefield=all&includefield=00081030")
        self.assertIn("fuzzymatching", fuzzy.headers["Warning"])
        self.assertEqual(self.ask("/studies?NoSuchAttribute=1").status_code, 400)
        self.assertEqual(self.ask(f"/studies/{self.study}/series?limit=many").status_code, 400)

    def test_instances_come_as_they_were_sent(self):
        for study in (self.study, self.cine, self.packed.study_uid):
            parts = self.ask(f"/studies/{study}", Accept='multipart/related; type="application/dicom"; transfer-syntax=*')
            got = self.client._decode_multipart_message(parts, stream=False)
            expected = {self.sent[one.sop_uid] for one in [*self.instances, *self.multiframe, self.packed] if one.study_uid == study}
            self.assertEqual({data_set_bytes(bytes(part)) for part in got}, expected)
        series = self.series_of(self.study)
        self.assertEqual(len(self.client.retrieve_series(self.study, series)), _SLICES)
        one = self.instances[2].sop_uid
        self.assertEqual(self.client.retrieve_instance(self.study, series, one).SOPInstanceUID, one)

    def test_what_is_packed_is_unpacked_on_request(self):
        packed = self.packed
        path = f"/studies/{packed.study_uid}/series/{self.series_of(packed.study_uid)}/instances/{packed.sop_uid}"
        as_held = dcmread(BytesIO(self.ask(path, Accept="application/dicom; transfer-syntax=*").content))
        self.assertEqual(as_held.file_meta.TransferSyntaxUID, RLELossless)
        plain = dcmread(BytesIO(self.ask(path, Accept="application/dicom").content))
        self.assertTrue(numpy.array_equal(plain.pixel_array, dcmread(self.instances[0].path).pixel_array))
        jpeg_2000 = 'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.90'
        self.assertEqual(self.ask(path, Accept=jpeg_2000).status_code, 406)
        octets = self.client.retrieve_instance_frames(packed.study_uid, self.series_of(packed.study_uid), packed.sop_uid, [1])
        self.assertEqual(octets[0], plain.PixelData)

    def test_metadata_is_the_data_set_without_its_pixels(self):
        for one in (self.instances[0], self.multiframe[0], self.packed):
            metadata = self.client.retrieve_instance_metadata(one.study_uid, self.series_of(one.study_uid), one.sop_uid)
            got = Dataset.from_json(metadata, bulk_data_uri_handler=lambda tag, vr, uri: b"")
            expected = dcmread(one.path)
            for element in expected:
                if element.tag != 0x7FE00010:
                    self.assertEqual(got[element.tag].value, element.value, element)
        self.assertEqual(len(self.client.retrieve_study_metadata(self.study)), _SLICES)

    def test_frames_and_values_of_a_long_object(self):
        [one] = self.multiframe
        pixels = dcmread(one.path).PixelData
        size = 512 * 512 * 2
        series = self.series_of(self.cine)
        frames = self.client.retrieve_instance_frames(self.cine, series, one.sop_uid, [2, 5])
        self.assertEqual(frames, [pixels[size : 2 * size], pixels[4 * size : 5 * size]])
        metadata = self.client.retrieve_instance_metadata(self.cine, series, one.sop_uid)
        # The client names the host without its port, and gets that back.
        place = metadata["7FE00010"]["BulkDataURI"].partition("/dicomweb")[2]
        [octets] = self.client.retrieve_bulkdata(self.url + place)
        self.assertEqual(digest(octets), digest(pixels))
        path = f"/studies/{self.cine}/series/{series}/instances/{one.sop_uid}"
        self.assertEqual(self.ask(f"{path}/frames/999").status_code, 404)
        self.assertEqual(self.ask(f"{path}/frames/0").status_code, 400)

    def test_pictures(self):
        one = self.instances[0]
        series = self.series_of(self.study)
        jpeg = self.client.retrieve_instance_rendered(self.study, series, one.sop_uid, media_types=("image/jpeg",))
        self.assertEqual(jpeg[:3], b"\xff\xd8\xff")
        path = f"/studies/{self.study}/series/{series}/instances/{one.sop_uid}"
        for place in (f"/studies/{self.study}", f"/studies/{self.study}/series/{series}", path):
            thumbnail = self.ask(f"{place}/thumbnail", Accept="image/png")
            self.assertEqual((thumbnail.status_code, thumbnail.content[:4]), (200, b"\x89PNG"))
            self.assertLess(len(thumbnail.content), 160 * 160)
        cine = f"/studies/{self.cine}/series/{self.series_of(self.cine)}/instances/{self.multiframe[0].sop_uid}"
        self.assertEqual(self.ask(f"{cine}/frames/3/rendered").status_code, 200)
        self.assertEqual(self.ask(f"{path}/rendered", Accept="image/gif").status_code, 406)

    def test_only_who_may_is_answered_and_it_is_kept_who_was(self):
        self.assertEqual(self.ask("/studies", token=None).status_code, 401)
        self.assertEqual(self.ask("/studies", token="another").status_code, 403)
        self.assertEqual(self.ask(f"/studies/{self.study}", token="another").status_code, 403)
        self.assertEqual(self.ask("/studies/1.2.3").status_code, 404)
        self.assertEqual(self.ask("/patients").status_code, 404)
        self.assertEqual(self.ask(f"/studies/{self.study}/thumbnail").status_code, 200)
        trail = subprocess.run(
            [self.gateway._tool, "--socket", self.gateway._socket, "audit", "export"], capture_output=True, text=True, check=True
        ).stdout
        self.assertIn("client:viewer", trail)
        self.assertIn("client:lab", trail)

    @unittest.skipUnless(shutil.which("npm"), "npm is not installed here")
    def test_the_client_of_browsers(self):
        modules = self.folder / "npm"
        modules.mkdir()
        subprocess.run(["npm", "install", "--silent", "--no-save", "--prefix", modules, _NPM_CLIENT], check=True, cwd=modules)
        library = modules / "node_modules" / "dicomweb-client" / "build" / "dicomweb-client.js"
        one, series = self.instances[0], self.series_of(self.study)
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = chromium.new_context(ignore_https_errors=True).new_page()
            page.goto(self.url)
            page.add_script_tag(path=library)
            got = page.evaluate(_SCRIPT, [self.url, _TOKEN, self.study, series, one.sop_uid])
            chromium.close()
        self.assertEqual(value(got["studies"][0], "0020000D"), self.study)
        self.assertEqual(value(got["series"][0], "0020000E"), series)
        self.assertEqual({value(match, "00080018") for match in got["instances"]}, {each.sop_uid for each in self.instances})
        self.assertEqual(value(got["metadata"][0], "00100010")["Alphabetic"], _PATIENT.dicom_name)
        files = self.ask(f"/studies/{self.study}", Accept='multipart/related; type="application/dicom"; transfer-syntax=*')
        parts = self.client._decode_multipart_message(files, stream=False)
        self.assertEqual(sorted(got["parts"]), sorted(digest(bytes(part)) for part in parts))
        self.assertEqual(got["frame"], digest(dcmread(one.path).PixelData))
        self.assertEqual(bytes(got["picture"]), b"\x89PNG")


if __name__ == "__main__":
    DicomWeb.build_dir = sys.argv.pop(1)
    unittest.main(verbosity=2)
