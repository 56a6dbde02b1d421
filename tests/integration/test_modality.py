"""test_modality.py BUILD_DIR: what a modality does beside sending images, by pynetdicom against the real daemon with Orthanc as PACS:
performed procedure steps, storage commitment across a cut link and a kill, and who is using it; and a large object by dcmtk's dcmsend.
"""

import ssl
import sys
import tempfile
import threading
import unittest
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import generate_uid
from pynetdicom import AE, evt
from pynetdicom.pdu_primitives import UserIdentityNegotiation
from pynetdicom.sop_class import ModalityPerformedProcedureStep, StorageCommitmentPushModel, StorageCommitmentPushModelInstance, Verification
from rig import compare, datasets, pki, senders
from rig.gateway import AET, Gateway, Uplinks
from rig.link import BLACKHOLE, Link
from rig.orthanc import Orthanc
from rig.process import free_ports
from rig.wait import wait_until

_PATIENT = datasets.Patient("Quintanavilla", "Esmeraldina", "MODPATIENT0001", "19620214", "F")
_TITLE = "MODALITY"
_SECURE = "SECURE"
_PASSCODE = "correct horse"
_PATIENCE_S = 120


class Reports:
    """A modality that listens for storage commitment reports: `by_transaction` maps a Transaction UID to what each said."""

    def __init__(self, port, title=_TITLE, tls=None):
        self.by_transaction, self._lock = {}, threading.Lock()
        ae = AE(ae_title=title)
        # The one who calls proposes itself as the provider.
        ae.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)
        self._server = ae.start_server(
            ("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, self._take)], ssl_context=tls
        )

    def _take(self, event):
        said = event.event_information
        committed = [item.ReferencedSOPInstanceUID for item in said.get("ReferencedSOPSequence", [])]
        failed = {item.ReferencedSOPInstanceUID: item.FailureReason for item in said.get("FailedSOPSequence", [])}
        with self._lock:
            self.by_transaction.setdefault(said.TransactionUID, []).append((event.event_type, committed, failed))
        return 0x0000, None

    def stop(self):
        self._server.shutdown()


def code(value, scheme, meaning):
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


class Modality(unittest.TestCase):
    build_dir = None

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="modality-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.keys = keys = pki.make(cls.folder / "pki")
        web, dicom, nobody, cls.report_port, cls.secure_port = free_ports(5)
        cls.pacs = Orthanc(cls.folder / "pacs", web, dicom, keys)
        cls.addClassCleanup(cls.pacs.stop)
        cls.pacs.wait_ready()
        cls.wan = Link()
        cls.addClassCleanup(cls.wan.stop)
        uplinks = Uplinks(cls.wan.add("pacs", web).port, nobody, nobody, keys.ca)
        passcode = cls.folder / "passcode"
        passcode.touch(mode=0o600)
        passcode.write_text(_PASSCODE + "\n")
        peer = f"""
[dicom.peer.ct]
ae_title = "{_TITLE}"
host = "127.0.0.1"
port = {cls.report_port}
[dicom.user.tech]
username = "technician"
passcode_file = "{passcode}"
[dicom.peer.secure]
ae_title = "{_SECURE}"
host = "127.0.0.1"
port = {cls.secure_port}
users = ["tech"]
tls = true
ca_file = "{keys.ca}"
certificate_file = "{keys.client.cert}"
key_file = "{keys.client.key}"
"""
        cls.gateway = Gateway(cls.build_dir, cls.folder / "gateway", uplinks, more_config=peer)
        cls.addClassCleanup(cls.gateway.stop)
        cls.gateway.start()

    def associate(self, *contexts, title=_TITLE, user=None):
        ae = AE(ae_title=title)
        for context in contexts:
            ae.add_requested_context(context)
        association = ae.associate("127.0.0.1", self.gateway.dicom_port, ae_title=AET, ext_neg=[user] if user else [])
        self.assertTrue(association.is_established)
        self.addCleanup(association.release)
        return association

    def send(self, name, count):
        instances = datasets.write_ct_series(self.folder / name, _PATIENT, "MOD0001", generate_uid(), slices=count)
        sender = senders.Sender(instances, self.gateway.dicom_port, AET, calling_aet=_TITLE)
        sender.run(_PATIENCE_S)
        return instances

    @staticmethod
    def user(passcode):
        item = UserIdentityNegotiation()
        item.user_identity_type, item.positive_response_requested = 2, True
        item.primary_field, item.secondary_field = b"technician", passcode.encode()
        return item

    def ask_commitment(self, references, **who):
        request = Dataset()
        request.TransactionUID = generate_uid()
        request.ReferencedSOPSequence = Sequence()
        for sop_class, sop_uid in references:
            item = Dataset()
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, sop_uid
            request.ReferencedSOPSequence.append(item)
        association = self.associate(StorageCommitmentPushModel, **who)
        status, _ = association.send_n_action(request, 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance)
        self.assertEqual(status.Status, 0x0000)
        return request.TransactionUID

    def counts(self):
        return self.gateway.status()["dicom"]["counts"]

    def test_performed_step_from_begin_to_end(self):
        begun = Dataset()
        begun.PerformedProcedureStepStatus = "IN PROGRESS"
        begun.PerformedProcedureStepID = "PPS1"
        begun.PerformedStationAETitle = _TITLE
        begun.PerformedProcedureStepStartDate, begun.PerformedProcedureStepStartTime = "20260301", "103000"
        begun.Modality = "CT"
        begun.PatientName, begun.PatientID = _PATIENT.dicom_name, _PATIENT.id
        scheduled = Dataset()
        scheduled.StudyInstanceUID, scheduled.AccessionNumber = generate_uid(), "MOD0002"
        begun.ScheduledStepAttributesSequence = Sequence([scheduled])
        done = Dataset()
        done.PerformedProcedureStepStatus = "COMPLETED"
        done.PerformedProcedureStepEndDate, done.PerformedProcedureStepEndTime = "20260301", "104500"
        done.PerformedSeriesSequence = Sequence()
        association, uid = self.associate(ModalityPerformedProcedureStep), generate_uid()
        status, _ = association.send_n_create(begun, ModalityPerformedProcedureStep, uid)
        self.assertEqual(status.Status, 0x0000)
        status, _ = association.send_n_set(done, ModalityPerformedProcedureStep, uid)
        self.assertEqual(status.Status, 0x0000)
        status, _ = association.send_n_set(done, ModalityPerformedProcedureStep, uid)
        self.assertEqual((status.Status, status.ErrorID), (0x0110, 0xA506))

    def test_commitment_waits_for_the_second_copy_and_survives_a_kill(self):
        self.wan.cut(BLACKHOLE)
        instances = self.send("held", 3)
        wanted = [(one.sop_class, one.sop_uid) for one in instances]
        transaction = self.ask_commitment(wanted)
        reports = Reports(self.report_port)
        self.addCleanup(reports.stop)
        self.gateway.kill()
        self.gateway.start()
        # Held here, but nowhere else.
        self.assertEqual(self.counts()["commitments_told"], 0)
        self.assertEqual(reports.by_transaction, {})
        self.wan.restore()
        wait_until(lambda: transaction in reports.by_transaction, "the commitment is reported", _PATIENCE_S)
        [(event_type, committed, failed)] = reports.by_transaction[transaction]
        self.assertEqual((event_type, sorted(committed), failed), (1, sorted(uid for _, uid in wanted), {}))
        self.assertLessEqual({uid for _, uid in wanted}, set(self.pacs.instances()))

    def test_commitment_is_refused_for_what_never_came_and_told_once_the_modality_listens(self):
        [held] = self.send("one", 1)
        transaction = self.ask_commitment([(held.sop_class, held.sop_uid), (held.sop_class, "2.25.999"), ("1.2.840.10008.5.1.4.1.1.4", held.sop_uid)])
        wait_until(lambda: "could not be reported" in self.gateway.log.read_text(), "the first report fails: nobody listens", _PATIENCE_S)
        reports = Reports(self.report_port)
        self.addCleanup(reports.stop)
        wait_until(lambda: transaction in reports.by_transaction, "the commitment is reported", _PATIENCE_S)
        event_type, committed, failed = reports.by_transaction[transaction][-1]
        self.assertEqual((event_type, committed), (2, [held.sop_uid]))
        self.assertEqual(failed, {"2.25.999": 0x0112, held.sop_uid: 0x0119})

    def test_a_large_object_is_taken_in_and_sent_on_in_bounded_memory(self):
        # Four times what the daemon may take for it.
        [large] = datasets.write_multiframe(self.folder / "large" / "large.dcm", _PATIENT, "MOD0009", generate_uid(), 256)
        idle = self.gateway.process.memory_mb("VmRSS")
        self.gateway.process.forget_peak()
        senders.dcmsend(large.path.parent, self.gateway.dicom_port, AET, calling_aet=_TITLE)
        wait_until(lambda: large.sop_uid in self.pacs.instances(), "the PACS has it", _PATIENCE_S)
        self.assertLess(self.gateway.process.memory_mb("VmHWM") - idle, 64)
        [held] = self.pacs.instances()[large.sop_uid]
        self.assertFalse(compare.difference(large.path, self.pacs.stored_file(held)))

    def test_a_user_is_known_by_the_passcode(self):
        known = self.associate(Verification, title=_SECURE, user=self.user(_PASSCODE))
        answers = [item for item in known.acceptor.user_information if isinstance(item, UserIdentityNegotiation)]
        self.assertEqual([item.server_response for item in answers], [b""])
        for user in (None, self.user("guessed-7731")):
            ae = AE(ae_title=_SECURE)
            ae.add_requested_context(Verification)
            refused = senders.rejection(ae, self.gateway.dicom_port, AET, ext_neg=[user] if user else [])
            self.assertIsNotNone(refused)
            # Permanent, by the service provider (ACSE).
            self.assertEqual((refused.result, refused.source, refused.reason_diagnostic), (1, 2, 1))
        self.assertNotIn("guessed-7731", self.gateway.log.read_text())

    def test_commitment_is_told_over_tls_to_a_peer_set_so(self):
        [held] = self.send("secure", 1)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self.keys.server.cert, self.keys.server.key)
        tls.load_verify_locations(self.keys.ca)
        tls.verify_mode = ssl.CERT_REQUIRED
        reports = Reports(self.secure_port, _SECURE, tls)
        self.addCleanup(reports.stop)
        transaction = self.ask_commitment([(held.sop_class, held.sop_uid)], title=_SECURE, user=self.user(_PASSCODE))
        wait_until(lambda: transaction in reports.by_transaction, "the commitment is reported over TLS", _PATIENCE_S)
        self.assertEqual(reports.by_transaction[transaction][0][1], [held.sop_uid])


if __name__ == "__main__":
    Modality.build_dir = sys.argv.pop(1)
    unittest.main(verbosity=2)
