"""test_pacs.py BUILD_DIR: the real daemon sends images to a PACS by C-STORE and asks it for storage commitment: Orthanc, and one that
pynetdicom plays over TLS, which can be cut off, refuse, be full, and report on either association. And it fetches a patient's prior
study from Orthanc before a visit, compresses what goes over a slow link, and tells the PACS what was withdrawn.
"""

import collections
import datetime
import hashlib
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest
import uuid
from io import BytesIO
from pathlib import Path

import requests
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless, generate_uid
from pynetdicom import AE, AllStoragePresentationContexts, build_role, evt
from pynetdicom.sop_class import (
    CTImageStorage,
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    Verification,
)
from rig import compare, datasets, pki, senders
from rig.gateway import AET, PATIENT_ID_ISSUER, CommandFailed, Gateway, Uplinks
from rig.link import RESET, Link
from rig.orthanc import Orthanc
from rig.process import free_ports
from rig.wait import wait_until

_PATIENT = datasets.Patient("Quintanavilla", "Esmeraldina", "PACPATIENT0001", "19620214", "F")
_PATIENCE_S = 180
_SLICES = 12
_TOKEN = "a token of the clinic's app"
_OUT_OF_RESOURCES, _CANNOT_UNDERSTAND, _DUPLICATE = 0xA700, 0xC000, 0x0111

_SETTINGS = """\
[dicom]
more_ae_titles = ["TOARCHIVE", "TOORTHANC", "TOPACS"]
[dicom.peer.archive]
ae_title = "ARCHIVE"
host = "127.0.0.1"
port = {archive_port}
tls = true
ca_file = "{keys.ca}"
certificate_file = "{keys.client.cert}"
key_file = "{keys.client.key}"
[dicom.peer.orthanc]
ae_title = "PACS"
host = "127.0.0.1"
port = {orthanc_port}
[dicom.peer.modality]
ae_title = "MODALITY"
host = "127.0.0.1"
port = {modality_port}
[uplink.archive]
kind = "dicom"
peer = "archive"
[uplink.orthanc]
kind = "dicom"
peer = "orthanc"
[dicom.route.archive]
called_ae_titles = ["TOARCHIVE"]
uplinks = ["archive"]
[dicom.route.pacs]
called_ae_titles = ["TOPACS"]
uplinks = ["pacs"]
[uplink.pacs]
compress = true
[dicom.route.orthanc]
called_ae_titles = ["TOORTHANC"]
uplinks = ["orthanc"]
[prefetch]
uplink = "pacs"
quota_mb = 8
[api]
bind = "127.0.0.1"
port = {api_port}
certificate_file = "{keys.server.cert}"
key_file = "{keys.server.key}"
[api_client.app]
scopes = ["system/*.cruds"]
token_sha256 = "{token_hash}"
"""


class Archive:
    """A PACS: `arrivals` counts C-STOREs per SOP Instance UID, `answers` holds statuses to give before success, `reports_at_once`
    says whether a commitment is reported on the association it was asked on."""

    def __init__(self, port, keys, gateway_port):
        self.arrivals, self.stored, self.associations = collections.Counter(), {}, 0
        self.answers = collections.defaultdict(list)
        self.reports_at_once, self.asked, self.told = True, [], []
        self._gateway_port, self._lock = gateway_port, threading.Lock()
        self._ae = AE(ae_title="ARCHIVE")
        self._ae.supported_contexts = AllStoragePresentationContexts
        self._ae.add_supported_context(StorageCommitmentPushModel)
        self._ae.add_supported_context(Verification)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(keys.server.cert, keys.server.key)
        tls.load_verify_locations(keys.ca)
        tls.verify_mode = ssl.CERT_REQUIRED
        handlers = [(evt.EVT_C_STORE, self._store), (evt.EVT_N_ACTION, self._commit), (evt.EVT_ACCEPTED, self._accepted)]
        self._server = self._ae.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers, ssl_context=tls)

    def stop(self):
        self._server.shutdown()

    def _accepted(self, event):
        self.associations += 1

    def _store(self, event):
        uid = event.request.AffectedSOPInstanceUID
        with self._lock:
            self.arrivals[uid] += 1
            status = self.answers[uid].pop(0) if self.answers[uid] else 0x0000
            if status == 0x0000:
                self.stored[uid] = event.request.DataSet.getvalue()
        return status

    def _commit(self, event):
        asked = event.action_information
        self.asked.append(asked)
        threading.Thread(target=self._report, args=(event.assoc, asked), daemon=True).start()
        return 0x0000, None

    def _report(self, association, asked):
        said, event_type = Dataset(), 1
        said.TransactionUID = asked.TransactionUID
        said.ReferencedSOPSequence, failed = Sequence(), Sequence()
        for item in asked.ReferencedSOPSequence:
            if item.ReferencedSOPInstanceUID in self.stored:
                said.ReferencedSOPSequence.append(item)
            else:
                item.FailureReason = 0x0112
                failed.append(item)
        if failed:
            said.FailedSOPSequence, event_type = failed, 2
        if self.reports_at_once:
            status, _ = association.send_n_event_report(said, event_type, StorageCommitmentPushModel, StorageCommitmentPushModelInstance)
        else:
            ae = AE(ae_title="ARCHIVE")
            ae.add_requested_context(StorageCommitmentPushModel)
            own = ae.associate("127.0.0.1", self._gateway_port, ae_title=AET, ext_neg=[build_role(StorageCommitmentPushModel, scp_role=True)])
            status, _ = own.send_n_event_report(said, event_type, StorageCommitmentPushModel, StorageCommitmentPushModelInstance)
            own.release()
        self.told.append(status.Status)


class Pacs(unittest.TestCase):
    build_dir = None

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="pacs-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.keys = keys = pki.make(cls.folder / "pki")
        web, dicom, nobody, archive_port, cls.modality_port, gateway_port, cls.api_port = free_ports(7)
        cls.orthanc = Orthanc(cls.folder / "orthanc", web, dicom, keys)
        cls.addClassCleanup(cls.orthanc.stop)
        cls.orthanc.wait_ready()
        cls.orthanc.add_modality("gateway", AET, gateway_port)
        cls.archive = Archive(archive_port, keys, gateway_port)
        cls.addClassCleanup(cls.archive.stop)
        cls.wan = Link()
        cls.addClassCleanup(cls.wan.stop)
        cls.way = cls.wan.add("archive", archive_port)
        cls.web = cls.wan.add("dicomweb", web)
        settings = _SETTINGS.format(
            archive_port=cls.way.port,
            orthanc_port=dicom,
            modality_port=cls.modality_port,
            keys=keys,
            api_port=cls.api_port,
            token_hash=hashlib.sha256(_TOKEN.encode()).hexdigest(),
        )
        cls.gateway = Gateway(cls.build_dir, cls.folder / "gateway", Uplinks(cls.web.port, nobody, nobody, keys.ca), dicom_port=gateway_port)
        more = cls.gateway.config.parent / "conf.d"
        more.mkdir()
        (more / "pacs.toml").write_text(settings)
        cls.addClassCleanup(cls.gateway.stop)
        cls.gateway.start()

    def send(self, name, called, slices=_SLICES):
        """A study on its way; what each file's data set is, by SOP Instance UID."""
        instances = datasets.write_ct_series(self.folder / name, _PATIENT, "PAC0001", generate_uid(), slices=slices)
        senders.Sender(instances, self.gateway.dicom_port, called).run(_PATIENCE_S)
        return {one.sop_uid: one for one in instances}

    def uplink(self, name):
        return next(one for one in self.gateway.status()["uplinks"] if one["name"] == name)

    def waiting(self, uplink):
        return [row for row in self.gateway.queue() if row["uplink"] == uplink]

    def parked(self, count):
        """Why, by their numbers; none before there are so many."""
        rows = [row for row in self.waiting("archive") if row["state"] == "parked"]
        return len(rows) == count and [row["reason"] for row in sorted(rows, key=lambda row: row["number"])]

    def commitment_of(self, instances):
        """What a modality that asked for it is told: it is granted on the PACS's word only."""
        told = []

        def take(event):
            said = event.event_information
            told.append(sorted(item.ReferencedSOPInstanceUID for item in said.get("ReferencedSOPSequence", [])))
            return 0x0000, None

        ae = AE(ae_title="MODALITY")
        ae.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)
        server = ae.start_server(("127.0.0.1", self.modality_port), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, take)])
        self.addCleanup(server.shutdown)
        request = Dataset()
        request.TransactionUID = generate_uid()
        request.ReferencedSOPSequence = Sequence()
        for one in instances.values():
            item = Dataset()
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = one.sop_class, one.sop_uid
            request.ReferencedSOPSequence.append(item)
        ae.add_requested_context(StorageCommitmentPushModel)
        association = ae.associate("127.0.0.1", self.gateway.dicom_port, ae_title=AET)
        status, _ = association.send_n_action(request, 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance)
        association.release()
        self.assertEqual(status.Status, 0x0000)
        return told

    def test_images_reach_orthanc_which_commits_itself(self):
        sent = self.send("orthanc", "TOORTHANC")
        told = self.commitment_of(sent)
        wait_until(lambda: told, "Orthanc's commitment lets the modality erase", _PATIENCE_S)
        self.assertEqual(told, [sorted(sent)])
        self.assertEqual(self.waiting("orthanc"), [])
        arrived = self.orthanc.receipts()
        self.assertEqual({uid: arrived[uid] for uid in sent}, dict.fromkeys(sent, 1))
        # It is noted once the association ends on which the PACS was asked.
        wait_until(lambda: self.uplink("orthanc")["server"] == {"storage_commitment": True}, "what Orthanc can is known", _PATIENCE_S)

    def test_a_slow_link_carries_images_compressed_and_loses_nothing_of_them(self):
        sent = self.send("slow", "TOPACS", slices=3)
        wait_until(lambda: not self.waiting("pacs"), "the images are at the PACS", _PATIENCE_S)
        stored = self.orthanc.instances()
        for uid, one in sent.items():
            there, plain = self.folder / "compressed.dcm", self.folder / "plain.dcm"
            there.write_bytes(self.orthanc.stored_file(stored[uid][0]))
            self.assertEqual(dcmread(there).file_meta.TransferSyntaxUID, JPEGLSLossless)
            self.assertLess(there.stat().st_size, one.path.stat().st_size * 0.9)
            subprocess.run(["dcmdjpls", there, plain], check=True, capture_output=True)
            self.assertEqual(dcmread(plain), dcmread(one.path))

    def test_after_a_cut_only_what_did_not_arrive_goes_again(self):
        self.wan.cut(RESET)
        sent = self.send("cut", "TOARCHIVE")
        tripped = self.way.trip_after(2_200_000, RESET)
        self.wan.restore()
        self.gateway.ask("uplinks", "sync")
        self.assertTrue(tripped.wait(_PATIENCE_S))
        before = {uid for uid in sent if uid in self.archive.stored}
        self.assertTrue(0 < len(before) < _SLICES, before)
        self.archive.reports_at_once = False
        self.wan.restore()
        self.gateway.ask("uplinks", "sync")
        wait_until(lambda: not self.waiting("archive"), "everything is delivered", _PATIENCE_S)
        arrivals = [self.archive.arrivals[uid] for uid in sent]
        # What was on its way when the link broke may have arrived unheard; nothing else goes twice.
        self.assertTrue(min(arrivals) == 1 and sum(arrivals) <= _SLICES + 1, arrivals)
        for uid, one in sent.items():
            self.assertEqual(self.archive.stored[uid], compare.data_set_bytes(one.path.read_bytes()))
        told = self.commitment_of(sent)
        wait_until(lambda: told, "the report on another association counts", _PATIENCE_S)
        self.assertEqual(told, [sorted(sent)])

    def test_what_is_refused_is_parked_and_what_passes_is_tried_again(self):
        self.archive.reports_at_once = True
        path = self.folder / "refused"
        instances = datasets.write_ct_series(path, _PATIENT, "PAC0002", generate_uid(), slices=4)
        refused, others, full, good = (one.sop_uid for one in instances)
        self.archive.answers[refused] = [_CANNOT_UNDERSTAND]
        self.archive.answers[others] = [_DUPLICATE]
        self.archive.answers[full] = [_OUT_OF_RESOURCES]
        senders.Sender(instances, self.gateway.dicom_port, "TOARCHIVE").run(_PATIENCE_S)
        wait_until(lambda: full in self.archive.stored and good in self.archive.stored, "what passes is tried again", _PATIENCE_S)
        parked = wait_until(lambda: self.parked(2), "they are parked", _PATIENCE_S)
        self.assertIn("C000 (cannot understand)", parked[0])
        # What is there by another way than ours proves nothing of ours.
        self.assertIn("did not come from here", parked[1])
        self.assertEqual((self.archive.arrivals[refused], self.archive.arrivals[full], self.archive.arrivals[good]), (1, 2, 1))
        told = self.commitment_of({one.sop_uid: one for one in instances if one.sop_uid in (full, good)})
        wait_until(lambda: told, "the report on the same association counts", _PATIENCE_S)
        self.gateway.ask("retry")
        wait_until(lambda: not self.waiting("archive"), "a person had it sent again", _PATIENCE_S)

    def schedule(self, patient):
        """The clinic's app registers the patient and orders a CT for this hour."""
        identity = {
            "resourceType": "Patient",
            "id": str(uuid.uuid4()),
            "identifier": [{"system": PATIENT_ID_ISSUER, "value": patient.id}],
            "name": [{"family": patient.family, "given": [patient.given]}],
            "birthDate": datetime.datetime.strptime(patient.birth_date, "%Y%m%d").date().isoformat(),
            "gender": "female",
        }
        order = {
            "resourceType": "ServiceRequest",
            "id": str(uuid.uuid4()),
            "status": "active",
            "intent": "order",
            "category": [{"coding": [{"system": "http://snomed.info/sct", "code": "363679005"}]}],
            "code": {"text": "CT of the chest"},
            "orderDetail": [{"coding": [{"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "CT"}]}],
            "subject": {"reference": f"Patient/{identity['id']}"},
            # An hour on, so that it is today's or tomorrow's, and never yesterday's.
            "occurrenceDateTime": (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)).isoformat(timespec="seconds"),
        }
        for resource in (identity, order):
            url = f"https://127.0.0.1:{self.api_port}/fhir/{resource['resourceType']}/{resource['id']}"
            headers = {"Authorization": f"Bearer {_TOKEN}", "Content-Type": "application/fhir+json"}
            answer = requests.put(url, json=resource, headers=headers, verify=str(self.keys.ca), timeout=30)
            self.assertEqual(answer.status_code, 201, answer.text)

    def at_orthanc(self, name, patient, slices, days_ago=30):
        """A study that came to the PACS from elsewhere."""
        instances = datasets.write_ct_series(self.folder / name, patient, "FAR0001", generate_uid(), slices=slices)
        day = (datetime.date.today() - datetime.timedelta(days=days_ago)).strftime("%Y%m%d")
        for one in instances:
            image = dcmread(one.path)
            image.StudyDate = day
            image.save_as(one.path)
        senders.Sender(instances, self.orthanc.dicom_port, self.orthanc.aet).run(_PATIENCE_S)
        return instances

    def fetched(self):
        return {one["study_uid"]: one for one in self.gateway.ask("studies")["studies"] if one["fetched"]}

    def test_a_prior_is_here_before_the_visit_and_while_the_pacs_is_down(self):
        patient = datasets.Patient("Montealegre", "Hermenegilda", "PRIORPATIENT01", "19580930", "F")
        namesake = datasets.Patient("Otherperson", "Hermenegilda", patient.id, "19770101", "F")
        prior = self.at_orthanc("prior", patient, 3)
        self.at_orthanc("namesake", namesake, 1)
        long = self.at_orthanc("long", patient, 17, days_ago=60)  # 8.5 MiB of slices: beyond the quota
        receipts = self.orthanc.receipts()
        self.schedule(patient)
        storage = wait_until(lambda: self.settled(prior), "the visit's priors are settled", _PATIENCE_S)
        # Orthanc may list the namesake's study under the patient's name: then its images say whose it is.
        self.assertEqual(storage["studies"], 1)
        self.assertIn(storage["given_up"], (1, 2))
        self.assertNotIn(long[0].study_uid, self.fetched(), "no part of it stays")
        self.assertLessEqual(storage["held_bytes"], 8 << 20)
        study = self.fetched()[prior[0].study_uid]
        self.assertEqual((study["instances"], study["fetched"], study["waiting"], study["identity"]), (3, 3, 0, "linked"))
        self.assertNotIn("Otherperson", str(self.gateway.ask("studies")))

        kept = {uid: self.orthanc.stored_file(ids[0]) for uid, ids in self.orthanc.instances().items()}
        self.addCleanup(self.wan.restore)
        self.wan.cut(RESET)
        got = {}

        def take(event):
            got[event.request.AffectedSOPInstanceUID] = event.request.DataSet.getvalue()
            return 0x0000

        ae = AE(ae_title="MODALITY")
        for context in (StudyRootQueryRetrieveInformationModelFind, StudyRootQueryRetrieveInformationModelGet):
            ae.add_requested_context(context)
        ae.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
        roles = [build_role(CTImageStorage, scp_role=True)]
        handlers = [(evt.EVT_C_STORE, take)]
        association = ae.associate("127.0.0.1", self.gateway.dicom_port, ae_title=AET, ext_neg=roles, evt_handlers=handlers)
        wish = Dataset()
        wish.QueryRetrieveLevel, wish.PatientID, wish.StudyInstanceUID = "STUDY", patient.id, ""
        found = [one for status, one in association.send_c_find(wish, StudyRootQueryRetrieveInformationModelFind) if one]
        self.assertIn(prior[0].study_uid, {one.StudyInstanceUID for one in found})
        wish.StudyInstanceUID = prior[0].study_uid
        list(association.send_c_get(wish, StudyRootQueryRetrieveInformationModelGet))
        association.release()
        self.assertEqual(set(got), {one.sop_uid for one in prior})
        for uid, data_set in got.items():
            self.assertTrue(kept[uid].endswith(data_set), "byte for byte as the PACS keeps it")
        self.wan.restore()
        self.assertEqual([row for row in self.gateway.queue() if row["uplink"] == "pacs"], [])
        self.assertEqual(self.orthanc.receipts(), receipts)

    def test_withdrawn_images_are_hidden_here_and_the_pacs_is_told(self):
        sent = self.send("wrong", "TOORTHANC", slices=4)
        wait_until(lambda: not self.waiting("orthanc"), "the images are at the PACS", _PATIENCE_S)
        study = next(iter(sent.values())).study_uid
        gone, *others = sent
        one = self.gateway.ask("studies", "withdraw", study, "--because", "wrong-patient", "--instance", gone)
        shown = self.gateway.ask("studies", "show", study)
        self.assertEqual({image["sop_instance_uid"] for image in shown["instances"]}, set(others))
        rest = self.gateway.ask("studies", "withdraw", study, "--because", "wrong-entry")
        self.assertEqual((one["withdrawn"], rest["withdrawn"]), (1, 3))
        with self.assertRaises(CommandFailed):
            self.gateway.ask("studies", "show", study)
        notes = {one["note"]: [gone], rest["note"]: others}
        ids = wait_until(lambda: notes.keys() <= self.orthanc.instances().keys() and self.orthanc.instances(), "the PACS has the notes", _PATIENCE_S)
        for note, named in notes.items():
            document = dcmread(BytesIO(self.orthanc.stored_file(ids[note][0])))
            [evidence] = document.CurrentRequestedProcedureEvidenceSequence
            [series] = evidence.ReferencedSeriesSequence
            self.assertEqual((document.StudyInstanceUID, evidence.StudyInstanceUID), (study, study))
            self.assertEqual({item.ReferencedSOPInstanceUID for item in series.ReferencedSOPSequence}, set(named))
        [listed] = [row for row in self.gateway.ask("studies")["studies"] if row["study_uid"] == study]
        self.assertEqual(listed["withdrawn"], 4)
        self.gateway.kill()
        self.gateway.start()
        with self.assertRaises(CommandFailed):
            self.gateway.ask("studies", "show", study)
        self.assertEqual(self.gateway.ask("studies", "restore", study)["restored"], 4)
        self.assertEqual(len(self.gateway.ask("studies", "show", study)["instances"]), 4)

    def settled(self, prior):
        """The one that is too long comes last, and only a part of it came."""
        storage = self.gateway.ask("storage")["upkeep"]["prefetch"]
        is_tried = storage["given_up"] > 0 and storage["instances"] > len(prior)
        return storage["state"] == "idle" and is_tried and prior[0].study_uid in self.fetched() and storage


if __name__ == "__main__":
    Pacs.build_dir = sys.argv.pop(1)
    unittest.main(verbosity=2)
