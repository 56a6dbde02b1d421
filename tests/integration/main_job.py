#!/usr/bin/env python3
"""The main job, before your eyes: a study crosses an outage and three crashes and reaches the hospital, an order comes back.

Real peers on loopback (rig/hospital.py), the real daemon from --build-dir, synthetic patients. Each step is told as it happens. With
--once the last line is one JSON object and the exit code says whether everything was proven; without it all stays up until Ctrl-C.
Run it with the Python of venv.sh, or by run.sh.
"""

import argparse
import concurrent.futures
import contextlib
import datetime
import json
import signal
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

from pydicom.uid import generate_uid
from rig import both_sides, datasets, fhir, hapi, plaintext, senders
from rig.evidence import Evidence
from rig.gateway import AET, PATIENT_ID_ISSUER, Gateway
from rig.hospital import Hospital
from rig.link import BLACKHOLE, RESET
from rig.wait import wait_until

_PATIENTS = (
    datasets.Patient("Quintanavilla", "Esmeraldina", "CLINICPAT00001", "19620214", "F"),
    datasets.Patient("Oyarzabaleta", "Bonifacio-Luis", "CLINICPAT00002", "19480930", "M"),
    datasets.Patient("Villarrubiales", "Maximiliana", "CLINICPAT00003", "20011105", "F"),
)
_BEFORE = (("DEMO-CT-0001", "CT", "CT of the chest"), ("DEMO-MR-0002", "MR", "MR of the knee"), ("DEMO-US-0003", "US", "US of the abdomen"))
_DURING = ("DEMO-CT-0004", "CT", "CT of the head, placed during the outage")
_DCMTK_SLICES = 20
_PATIENCE_S = 300


class MainJob:
    def __init__(self, options, hospital, folder, undo):
        self.slices, self.outage_s = options.slices, options.outage_s
        self.hospital, self.folder, self.evidence = hospital, folder, Evidence()
        self.both_sides = both_sides.BothSides(hospital.his, hospital.pki)
        undo.callback(self.both_sides.close)
        self.gateway = Gateway(
            options.build_dir,
            folder / "gateway",
            hospital.uplinks(),
            hospital.gateway_dicom_port,
            more_config=self.both_sides.config,
        )
        undo.callback(self.gateway.stop)
        self._undo = undo
        self._hospital_ids = [str(uuid.uuid4()) for _ in _PATIENTS]
        self._may_send_on, self._far_enough = threading.Event(), threading.Event()

    def run(self):
        self.place_orders()
        self.gateway.start()
        say(f"gateway ready: DICOM {AET} on port {self.gateway.dicom_port}")
        self.wait_for_worklist([accession for accession, *_ in _BEFORE])
        self.both_sides.wait_at_clinic()
        self.prepare_studies()
        self.start_sending()
        self.kill_in_mid_instance()
        self.crash_between_commit_and_answer()
        self.cut_the_link()
        self.kill_in_mid_upload()
        self.lose_an_answer()
        self.wait_for_everything()
        self.let_the_broker_certificate_expire()
        return self.judge()

    def place_orders(self):
        for patient_id, patient in zip(self._hospital_ids, _PATIENTS):
            self.hospital.his.put(fhir.patient_resource(patient_id, patient, PATIENT_ID_ISSUER))
        for patient_id, order in zip(self._hospital_ids, _BEFORE):
            self.place_order(patient_id, *order)
        self.both_sides.add(self._hospital_ids[2])
        say(f"HIS: {len(_PATIENTS)} patients registered, {len(_BEFORE)} imaging orders and a task placed")

    def place_order(self, patient_id, accession, modality, description):
        soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=10)
        order = fhir.imaging_order(str(uuid.uuid4()), patient_id, accession, modality, description, soon)
        self.hospital.his.put(order)

    def worklist(self):
        answers = senders.worklist(self.hospital.modality_port, AET)
        return {answer.AccessionNumber: answer for answer in answers}

    def wait_for_worklist(self, accessions):
        wait_until(
            lambda: set(accessions) <= set(self.worklist()), f"{accessions} are on the worklist", 60
        )
        say(f"modality: the worklist shows {', '.join(accessions)}")

    def prepare_studies(self):
        """pydicom's files and a CT that is made, as on a real scanner, from the worklist's own answer."""
        order = self.worklist()[_BEFORE[0][0]]
        patient, study_uid = _PATIENTS[0], str(order.StudyInstanceUID)
        if (order.PatientID, order.PatientName.family_name) != (patient.id, patient.family):
            raise AssertionError(f"the worklist answers for another patient: {order.PatientID} {order.PatientName}")
        self.files = datasets.pydicom_files(self.folder / "pydicom")
        self.ct = datasets.write_ct_series(
            self.folder / "ct", patient, order.AccessionNumber, study_uid, self.slices
        )
        # A second modality, which is dcmtk's own sender.
        self.by_dcmtk = datasets.write_ct_series(
            self.folder / "dcmtk", _PATIENTS[1], "DEMO-CT-DCMTK", generate_uid(), _DCMTK_SLICES, seed=3
        )
        texts = [text for one in _PATIENTS for text in (one.family, one.given, one.id)]
        self.needles = [text.encode() for text in [*texts, both_sides.CLINIC_PHONE, "CompressedSamples"]]
        self.needles += [run for one in [*self.ct[:: max(1, self.slices // 4)], self.by_dcmtk[0]] for run in plaintext.pixel_runs(one.path, 1)]
        say(f"modality: {len(self.files)} of pydicom's files and a CT of {self.slices} slices are ready to be sent")

    def start_sending(self):
        self.sender = senders.Sender(
            self.files + self.ct, self.hospital.modality_port, AET, on_answer=self.pause_at_two_fifths
        )
        pool = concurrent.futures.ThreadPoolExecutor(1, "modality")
        self._undo.callback(pool.shutdown)
        self._undo.callback(self._may_send_on.set)
        self._undo.callback(self.sender.stop)
        # Cut in the middle of an instance: all small files, some slices and half a slice.
        slice_bytes = self.ct[0].path.stat().st_size
        before = sum(one.path.stat().st_size for one in self.files) + slice_bytes * (self.slices // 10)
        self._half_sent = self.hospital.lan.mappings["dicom"].trip_after(before + slice_bytes // 2)
        self._sending = pool.submit(self.sender.run, _PATIENCE_S)
        say("modality: sending")

    def pause_at_two_fifths(self, sender, *_):
        """The link must be cut in the middle of sending, however fast the gateway is."""
        if len(sender.succeeded) >= len(self.files) + self.slices * 2 // 5:
            self._far_enough.set()
            self._may_send_on.wait()

    def wait_for_event(self, event, what, timeout_s=120):
        """Wait for a threading.Event, but not past an early end of the sender."""

        def happened():
            if self._sending.done():
                self._sending.result()
            return event.is_set()

        wait_until(happened, what, timeout_s)

    def died(self, how):
        self.evidence.kills += 1
        # What a crash leaves behind is what a thief of the box would find.
        self.evidence.search_plaintext(self.needles, self.gateway.folder)
        say(f"gateway: killed, {how} ({len(self.sender.succeeded)} instances acknowledged)")

    def kill_in_mid_instance(self):
        self.wait_for_event(self._half_sent, "half of an instance is sent")
        if self.sender.in_flight is None:
            raise AssertionError("no instance was under way when the LAN stopped")
        self.gateway.kill()
        self.died("kill -9 with an instance half received")

    def crash_between_commit_and_answer(self):
        self.gateway.start(crash_at=f"store-committed:{max(2, self.slices // 15)}")
        self.hospital.lan.restore()
        self.gateway.wait_crash(120)
        self.died("SIGKILL after a commit, before its answer")
        self.gateway.start()

    def cut_the_link(self):
        before = [accession for accession, *_ in _BEFORE]
        self.wait_for_event(self._far_enough, "two fifths of the CT are sent")
        self.hospital.wan.cut(BLACKHOLE)
        self._cut_at = time.monotonic()
        say(f"link: dead, no byte moves; {self.hospital.pacs.instance_count()} instances are at the PACS")
        acknowledged = len(self.sender.succeeded)
        self._may_send_on.set()
        self.place_order(self._hospital_ids[1], *_DURING)
        say(f"HIS: order {_DURING[0]} placed while the clinic is cut off")
        wait_until(
            lambda: len(self.sender.succeeded) > acknowledged + 5, "the gateway takes in instances offline", 60
        )
        self.send_by_dcmtk()
        self.both_sides.edit()
        say("clinic and HIS: both change the same patient and the same task, and cannot know of each other")
        self.watch_worklist(before, self.outage_s / 2, "during the blackhole")
        self.hospital.wan.cut(RESET)
        say("link: now every connection is refused")
        self.watch_worklist(before, self.outage_s, "while connections were refused")

    def send_by_dcmtk(self):
        acknowledged = senders.dcmsend(self.by_dcmtk[0].path.parent, self.hospital.modality_port, AET, calling_aet="DCMTK")
        if acknowledged != len(self.by_dcmtk):
            raise AssertionError(f"{acknowledged} of {len(self.by_dcmtk)} instances by dcmsend were answered with Success")
        say(f"second modality (dcmsend): {acknowledged} instances acknowledged while the link is dead")

    def watch_worklist(self, accessions, until_s, when):
        """Ask over and over until the outage has lasted `until_s`."""

        def asked_until_then():
            self.evidence.saw_worklist(when, accessions, self.worklist())
            return time.monotonic() - self._cut_at >= until_s

        wait_until(asked_until_then, f"{until_s} s of outage", until_s + 60, interval_s=1)
        say(f"modality: the worklist answered {when}; {len(self.sender.succeeded)} instances acknowledged")

    def kill_in_mid_upload(self):
        half_sent = self.hospital.wan.mappings["pacs"].trip_after(self.ct[0].path.stat().st_size * 5 // 2)
        self.evidence.outage_s = time.monotonic() - self._cut_at
        self.hospital.wan.restore()
        say(f"link: back after {self.evidence.outage_s:.0f} s")
        wait_until(half_sent.is_set, "an upload to the PACS is under way again", 180)
        self.gateway.kill()
        self.died("kill -9 in the middle of an upload to the PACS")
        self.hospital.wan.restore()
        self._answer_lost = self.hospital.wan.mappings["pacs"].drop_next_answer(
            after_bytes_up=self.ct[0].path.stat().st_size // 2
        )
        self.gateway.start()

    def lose_an_answer(self):
        wait_until(self._answer_lost.is_set, "the PACS answered an upload", 180)
        say("link: the PACS's answer to an upload got lost")

    def wait_for_everything(self):
        self._sending.result(_PATIENCE_S)
        sent = self.sender
        say(f"modality: {len(sent.succeeded)} acknowledged, {sent.attempts} requests, {sent.associations} associations")
        self.both_sides.settle(self.gateway, say)
        wait_until(self.is_drained, "the gateway's queue is empty", _PATIENCE_S, interval_s=0.5)
        say(f"gateway: nothing left to send; {self.hospital.pacs.instance_count()} instances are at the PACS")
        self.wait_for_worklist([_DURING[0]])

    def is_drained(self):
        return all(row["state"] == "parked" for row in self.gateway.queue())

    def let_the_broker_certificate_expire(self):
        topic = self.hospital.ops.wait_for(lambda m: m.topic.endswith("/health"), 60).topic
        self.hospital.broker.restart_with(self.hospital.pki.expired)
        wait_until(
            lambda: not self.gateway.status()["mqtt"]["connected"],
            "the gateway refuses the expired certificate",
            60,
        )
        self.hospital.broker.restart_with(self.hospital.pki.server)
        renewed = time.monotonic()
        heard = self.hospital.ops.wait_for(
            lambda m: m.topic == topic and not m.retained, 180, since=renewed
        )
        say(f"ops: the broker's certificate expired and was renewed; health again after {heard.at - renewed:.0f} s")

    def judge(self):
        parked = [(row["subject"], row["reason"]) for row in self.gateway.queue()]
        if parked:
            self.evidence.failures.append(f"{len(parked)} items were parked: {parked[:3]}")
        self.evidence.search_plaintext(self.needles, self.gateway.folder)
        expected = [accession for accession, *_ in (*_BEFORE, _DURING)]
        answered = self.worklist()
        self.evidence.saw_worklist("at the end", expected, answered)
        found = sum(accession in answered for accession in expected)
        self.evidence.failures += self.both_sides.failures()
        self.evidence.require(kills=3, outage_s=self.outage_s)
        succeeded = self.sender.succeeded | {one.sop_uid for one in self.by_dcmtk}
        outcome = self.evidence.judge(self.files + self.ct + self.by_dcmtk, succeeded, self.hospital, found)
        return {"merged": self.both_sides.merged, "asked": self.both_sides.asked, **outcome}


_BEGAN = time.monotonic()
_quiet = False


def say(text):
    if not _quiet:
        print(f"[{time.monotonic() - _BEGAN:6.1f} s] {text}", flush=True)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build-dir", required=True, type=Path, help="where clinic-gatewayd was built")
    parser.add_argument("--work-dir", type=Path, help="keep all files of the run here; default: a temporary folder")
    parser.add_argument("--slices", type=int, default=600, help="length of the CT (default: %(default)s, at least 40)")
    parser.add_argument("--outage-s", type=float, default=20, help="how long the link is dead (default: %(default)s)")
    parser.add_argument("--once", action="store_true", help="end by itself, with one JSON line")
    parser.add_argument("--quiet", action="store_true", help="only the JSON line")
    options = parser.parse_args()
    if options.slices < 40:
        parser.error("--slices: the crashes and the outage need at least 40")
    return options


def end_on_signals():
    """SIGTERM and SIGHUP unwind like Ctrl-C, so that every peer is stopped."""

    def unwind(number, _frame):
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, unwind)


def main():
    global _quiet
    options = parse_options()
    _quiet = options.quiet
    end_on_signals()
    with contextlib.ExitStack() as undo:
        folder = options.work_dir or undo.enter_context(tempfile.TemporaryDirectory(prefix="main-job-"))
        folder = Path(folder).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        say("starting Orthanc (PACS), HAPI FHIR (HIS) and Mosquitto (broker of central operations)")
        hospital = undo.enter_context(Hospital(folder, hapi.build()))
        job = MainJob(options, hospital, folder, undo)
        outcome = job.run()
        if not options.once:
            print(json.dumps(outcome))
            say(
                f"gateway: DICOM {AET} at 127.0.0.1:{job.gateway.dicom_port}, PACS {hospital.pacs.url}, "
                f"HIS {hospital.his.url}; Ctrl-C ends everything"
            )
            signal.pause()
    print(json.dumps(outcome), flush=True)
    return 1 if outcome["failures"] else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
