"""test_archive.py BUILD_DIR: a workstation that pynetdicom plays asks the real daemon for what it holds, over plain TCP and TLS: queries,
C-GET and C-MOVE byte for byte, cancel, and callers that a person has to approve.
"""

import ssl
import sys
import tempfile
import unittest
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import (
    CTImageStorage,
    PatientRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)
from rig import datasets, pki, senders
from rig.gateway import AET, CommandFailed, Gateway, Uplinks
from rig.process import free_ports

_PATIENT = datasets.Patient("Quintanavilla", "Esmeraldina", "ARCPATIENT0001", "19620214", "F")
_PATIENCE_S = 120
_SLICES = 12

_SETTINGS = """\
[dicom]
callers = "learn"
tls_certificate_file = "{server.cert}"
tls_key_file = "{server.key}"
tls_client_ca_file = "{ca}"
tls_port = {tls_port}
[dicom.peer.modality]
ae_title = "MODALITY"
addresses = ["127.0.0.0/8"]
plain = true
[dicom.peer.viewer]
ae_title = "VIEWER"
plain = true
host = "127.0.0.1"
port = {viewer_port}
"""


def data_set_bytes(path):
    """What stands in the file behind its File Meta Information."""
    content = Path(path).read_bytes()
    with open(path, "rb") as file:
        head = dcmread(file, stop_before_pixels=True, specific_tags=[])
    length = head.file_meta.FileMetaInformationGroupLength
    return content[132 + 12 + length :]


class Archive(unittest.TestCase):
    build_dir = None

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="archive-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.keys = pki.make(cls.folder / "pki")
        nobody, cls.tls_port, cls.viewer_port = free_ports(3)
        cls.gateway = Gateway(cls.build_dir, cls.folder / "gateway", Uplinks(nobody, nobody, nobody, cls.keys.ca))
        more = cls.gateway.config.parent / "conf.d"
        more.mkdir()
        settings = _SETTINGS.format(server=cls.keys.server, ca=cls.keys.ca, tls_port=cls.tls_port, viewer_port=cls.viewer_port)
        (more / "dicom.toml").write_text(settings)
        cls.addClassCleanup(cls.gateway.stop)
        cls.gateway.start()
        cls.study = generate_uid()
        cls.instances = datasets.write_ct_series(cls.folder / "ct", _PATIENT, "ARC0001", cls.study, slices=_SLICES)
        senders.Sender(cls.instances, cls.gateway.dicom_port, AET).run(_PATIENCE_S)
        cls.sent = {one.sop_uid: data_set_bytes(one.path) for one in cls.instances}

    def associate(self, *contexts, title="VIEWER", handlers=(), get=False, tls=None, port=None):
        ae = AE(ae_title=title)
        for context in contexts:
            ae.add_requested_context(context)
        roles = []
        if get:
            ae.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
            roles = [build_role(CTImageStorage, scp_role=True)]
        association = ae.associate(
            "localhost" if tls else "127.0.0.1",
            port or self.gateway.dicom_port,
            ae_title=AET,
            ext_neg=roles,
            evt_handlers=list(handlers),
            tls_args=(tls, "localhost") if tls else None,
        )
        self.addCleanup(association.release)
        return association

    def wish(self, level="STUDY", **keys):
        wish = Dataset()
        wish.QueryRetrieveLevel = level
        for keyword, value in keys.items():
            setattr(wish, keyword, value)
        return wish

    def find(self, association, model, wish):
        return [found for status, found in association.send_c_find(wish, model) if status.Status in (0xFF00, 0xFF01)]

    def test_finds_what_was_sent(self):
        association = self.associate(PatientRootQueryRetrieveInformationModelFind, StudyRootQueryRetrieveInformationModelFind)
        self.assertTrue(association.is_established)
        patients = self.find(
            association,
            PatientRootQueryRetrieveInformationModelFind,
            self.wish("PATIENT", PatientID="", PatientName="quintana*"),
        )
        self.assertEqual([found.PatientID for found in patients], [_PATIENT.id])
        studies = self.find(
            association,
            StudyRootQueryRetrieveInformationModelFind,
            self.wish(StudyInstanceUID="", AccessionNumber="ARC0001", NumberOfStudyRelatedInstances=None),
        )
        self.assertEqual([(found.StudyInstanceUID, found.NumberOfStudyRelatedInstances) for found in studies], [(self.study, _SLICES)])
        images = self.find(
            association,
            StudyRootQueryRetrieveInformationModelFind,
            self.wish("IMAGE", StudyInstanceUID=self.study, SOPInstanceUID=""),
        )
        self.assertEqual({found.SOPInstanceUID for found in images}, set(self.sent))

    def test_gets_what_was_sent(self):
        got = {}

        def take(event):
            got[event.request.AffectedSOPInstanceUID] = event.request.DataSet.getvalue()
            return 0x0000

        model = StudyRootQueryRetrieveInformationModelGet
        association = self.associate(model, get=True, handlers=[(evt.EVT_C_STORE, take)])
        statuses = [status for status, _ in association.send_c_get(self.wish(StudyInstanceUID=self.study), model)]
        self.assertEqual(statuses[-1].Status, 0x0000)
        self.assertEqual(statuses[-1].NumberOfCompletedSuboperations, _SLICES)
        self.assertEqual(got, self.sent)

    def test_a_retrieval_is_cancelled(self):
        model = StudyRootQueryRetrieveInformationModelGet
        association = self.associate(model, get=True, handlers=[(evt.EVT_C_STORE, lambda event: 0x0000)])
        last = None
        for count, (status, _) in enumerate(association.send_c_get(self.wish(StudyInstanceUID=self.study), model, msg_id=7)):
            if count == 0:
                association.send_c_cancel(7, query_model=model)
            last = status
        self.assertEqual(last.Status, 0xFE00)
        self.assertGreater(last.NumberOfRemainingSuboperations, 0)
        self.assertEqual(last.NumberOfRemainingSuboperations + last.NumberOfCompletedSuboperations, _SLICES)

    def test_moves_what_was_sent_and_counts_what_the_destination_refuses(self):
        got, refused = {}, self.instances[3].sop_uid

        def take(event):
            request = event.request
            if request.AffectedSOPInstanceUID == refused:
                return 0xA700
            self.assertEqual(request.MoveOriginatorApplicationEntityTitle, "VIEWER")
            got[request.AffectedSOPInstanceUID] = request.DataSet.getvalue()
            return 0x0000

        viewer = AE(ae_title="VIEWER")
        viewer.add_supported_context(CTImageStorage)
        server = viewer.start_server(("127.0.0.1", self.viewer_port), block=False, evt_handlers=[(evt.EVT_C_STORE, take)])
        self.addCleanup(server.shutdown)
        model = StudyRootQueryRetrieveInformationModelMove
        association = self.associate(model)
        answers = list(association.send_c_move(self.wish(StudyInstanceUID=self.study), "VIEWER", model))
        status, failed = answers[-1]
        self.assertEqual(status.Status, 0xB000)
        self.assertEqual((status.NumberOfCompletedSuboperations, status.NumberOfFailedSuboperations), (_SLICES - 1, 1))
        self.assertEqual(failed.FailedSOPInstanceUIDList, refused)
        self.assertEqual(got, {uid: content for uid, content in self.sent.items() if uid != refused})
        [(status, _)] = association.send_c_move(self.wish(StudyInstanceUID=self.study), "ELSEWHERE", model)
        self.assertEqual(status.Status, 0xA801)

    def test_studies_go_out_to_a_folder_and_come_in_again(self):
        patient = self.gateway.ask("studies", "show", self.study)["patient"]
        self.assertTrue(patient)
        medium = self.folder / "medium"
        done = self.gateway.ask("studies", "export", self.study, "--to", medium)
        self.assertEqual((done["files"], done["unlisted"], done["missing"]), (_SLICES, 0, 0))
        files = sorted((medium / "DICOM").rglob("IM*"))
        self.assertEqual({str(dcmread(path).SOPInstanceUID): data_set_bytes(path) for path in files}, self.sent)
        directory = dcmread(medium / "DICOMDIR")
        images = [record for record in directory.DirectoryRecordSequence if record.DirectoryRecordType == "IMAGE"]
        self.assertEqual({record.ReferencedSOPInstanceUIDInFile for record in images}, set(self.sent))
        again = self.gateway.ask("studies", "import", medium, "--patient", patient)
        self.assertEqual((again["stored"], again["repeated"], again["refused"]), (0, _SLICES, []))

        # The same person, known to another hospital under another id.
        there = datasets.Patient(_PATIENT.family, _PATIENT.given, "ELSEWHERE77", _PATIENT.birth_date, _PATIENT.sex)
        study = generate_uid()
        datasets.write_ct_series(self.folder / "cd", there, "FAR1", study, slices=2)
        stranger = datasets.Patient("Somebodyelse", "Bartholomea", "ELSEWHERE78", "19551111", "F")
        datasets.write_ct_series(self.folder / "cd" / "other", stranger, "FAR2", generate_uid(), slices=1)
        (self.folder / "cd" / "README.TXT").write_text("no image")
        try:
            self.gateway.ask("studies", "import", self.folder / "cd", "--patient", patient)
            self.fail("what is another person's was taken in")
        except CommandFailed:
            pass
        shown = self.gateway.ask("studies", "show", study)
        self.assertEqual((len(shown["instances"]), shown["patient_id"], shown["patient"]), (2, _PATIENT.id, patient))
        held = [row for row in self.gateway.queue() if "imported from media" in row["reason"]]
        self.assertEqual(len(held), 2)
        known = {study["patient_id"] for study in self.gateway.ask("studies")["studies"]}
        self.assertNotIn("ELSEWHERE78", known)

        self.assertEqual(self.gateway.ask("studies", "send", self.study, "--uplink", "pacs")["queued"], _SLICES)
        with self.assertRaises(CommandFailed):
            self.gateway.ask("studies", "delete", self.study)  # no PACS has it
        self.assertEqual(len(self.gateway.ask("studies", "show", self.study)["instances"]), _SLICES)

    def is_stranger_rejected(self):
        ae = AE(ae_title="STRANGER")
        ae.add_requested_context(Verification)
        return senders.rejection(ae, self.gateway.dicom_port, AET) is not None

    def test_a_stranger_is_let_in_once_a_person_approves(self):
        self.assertTrue(self.is_stranger_rejected())
        [caller] = [one for one in self.gateway.ask("peers", "list")["callers"] if one["ae_title"] == "STRANGER"]
        self.assertEqual((caller["address"], caller["state"], caller["encrypted"]), ("127.0.0.1", "waiting", False))
        self.assertEqual(self.gateway.ask("peers", "approve", "STRANGER")["changed"], 1)
        self.assertTrue(self.associate(Verification, title="STRANGER").is_established)
        self.gateway.kill()
        self.gateway.start()
        self.assertTrue(self.associate(Verification, title="STRANGER").is_established)
        self.gateway.ask("peers", "remove", "STRANGER")
        self.assertTrue(self.is_stranger_rejected())

    def test_tls_with_a_certificate_of_the_sites_authority(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.create_default_context(cafile=self.keys.ca)
            context.minimum_version = context.maximum_version = version
            context.load_cert_chain(self.keys.client.cert, self.keys.client.key)
            association = self.associate(Verification, tls=context, port=self.tls_port)
            self.assertEqual(association.send_c_echo().Status, 0x0000)
        without = ssl.create_default_context(cafile=self.keys.ca)
        association = self.associate(Verification, tls=without, port=self.tls_port)
        self.assertFalse(association.is_established)


if __name__ == "__main__":
    Archive.build_dir = sys.argv.pop(1)
    unittest.main(verbosity=2)
