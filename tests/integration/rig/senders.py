"""Modalities: a C-STORE sender on pynetdicom that never gives up, and dcmtk's command line tools.

`Sender` sends files one after the other, each in the transfer syntax it is stored in and with the very bytes of the file's data
set. When the association dies it connects again and sends again what had no success: what a modality's own queue does.
"""

import logging
import re
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from pydicom import dcmread
from pynetdicom import AE, _config, evt
from pynetdicom.pdu import A_ASSOCIATE_RJ

# With a path, send_c_store would decode the file and encode it anew (deflated data comes out deflated differently, undefined
# lengths and private elements change). In chunked mode it copies the file's bytes.
_config.STORE_SEND_CHUNKED_DATASET = True
# Every lost association is an event of ours, told through `failures`.
logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)

_SUCCESS = 0x0000
_CONTEXTS_PER_ASSOCIATION = 128


class Sender:
    """Sends a list of `datasets.Instance` to one SCP.

    After `run()`, or while it runs in a thread: `succeeded` is the set of SOP Instance UIDs whose C-STORE was answered with
    Success, `attempts` counts requests, `failures` holds one text per refused or unanswered request. `on_answer(sender, instance,
    status)` is called in the sending thread after each answer (status None: the association died); it may block.
    """

    def __init__(self, instances, port, called_aet, calling_aet="MODALITY", on_answer=None):
        self._pending = list(instances)
        self._port, self._called = port, called_aet
        self._ae = AE(ae_title=calling_aet)
        # A dead gateway must be noticed, but a slow one must not be given up on.
        self._ae.acse_timeout = self._ae.connection_timeout = 10
        self._ae.dimse_timeout = self._ae.network_timeout = 120
        self._on_answer = on_answer or (lambda *_: None)
        self._stopping = threading.Event()
        self.succeeded, self.failures, self.attempts, self.associations = set(), [], 0, 0
        self.in_flight = None

    def run(self, deadline_s):
        """Send until everything succeeded; AssertionError names what is left at the deadline (or after `stop()`)."""
        deadline = time.monotonic() + deadline_s
        while self._pending and time.monotonic() < deadline and not self._stopping.is_set():
            association = self._associate()
            if association is None:
                # The modality's own pause between two attempts; the daemon may be starting.
                self._stopping.wait(0.2)
                continue
            try:
                self._send_over(association, deadline)
            finally:
                if association.is_established:
                    association.release()
        if self._pending:
            raise AssertionError(
                f"{len(self._pending)} instances without success after {deadline_s} s; "
                f"the first: {self._pending[0].path.name}; last failures: {self.failures[-3:]}"
            )

    def stop(self):
        self._stopping.set()

    def _associate(self):
        contexts = dict.fromkeys((one.sop_class, one.transfer_syntax) for one in self._pending)
        self._ae.requested_contexts = []
        for sop_class, syntax in list(contexts)[:_CONTEXTS_PER_ASSOCIATION]:
            # One syntax per context: offered together, the SCP would pick one and the other files could not be sent.
            self._ae.add_requested_context(sop_class, [syntax])
        association = self._ae.associate(
            "127.0.0.1",
            self._port,
            ae_title=self._called,
            evt_handlers=[(evt.EVT_CONN_OPEN, _no_delay)],
        )
        if not association.is_established:
            return None
        self.associations += 1
        return association

    def _send_over(self, association, deadline):
        """Send pending instances in order until all are sent once or the association is gone."""
        refused = []
        while self._pending and association.is_established and not self._stopping.is_set():
            if time.monotonic() >= deadline:
                break
            instance = self._pending[0]
            status = self._send_one(association, instance)
            self._on_answer(self, instance, status)
            if status is None:
                break
            self._pending.pop(0)
            if status != _SUCCESS:
                refused.append(instance)
        self._pending.extend(refused)

    def _send_one(self, association, instance):
        self.attempts += 1
        self.in_flight = instance
        try:
            answer = association.send_c_store(instance.path)
        except (RuntimeError, ValueError) as unsent:
            # RuntimeError: the association went before the request. ValueError: this SOP class or syntax was not accepted.
            self.failures.append(f"{instance.path.name}: {unsent}")
            return None if isinstance(unsent, RuntimeError) else 0x0122
        finally:
            self.in_flight = None
        if "Status" not in answer:
            self.failures.append(f"{instance.path.name}: no answer, association gone")
            return None
        if answer.Status == _SUCCESS:
            self.succeeded.add(instance.sop_uid)
        else:
            self.failures.append(f"{instance.path.name}: status {answer.Status:04X}")
        return answer.Status


def _no_delay(event):
    event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def rejection(ae, port, called_aet, **options):
    """The A-ASSOCIATE-RJ the peer answered with, or None. Not Association.is_rejected: where the whole answer came before
    pynetdicom's requesting thread looked at its socket, it calls a rejection an abort."""
    said = []
    note = [(evt.EVT_PDU_RECV, lambda event: said.append(event.pdu))]
    association = ae.associate("127.0.0.1", port, ae_title=called_aet, evt_handlers=note, **options)
    if association.is_established:
        association.release()
    return next((pdu for pdu in said if isinstance(pdu, A_ASSOCIATE_RJ)), None)


def _run(argv, timeout_s):
    """A dcmtk tool's output; raises with it when the tool fails. Nagle off, as on both ends of any measurement of ours."""
    done = subprocess.run(
        [str(part) for part in argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        env={"PATH": "/usr/bin:/bin", "TCP_NODELAY": "1"},
        text=True,
        errors="replace",
        timeout=timeout_s,
    )
    if done.returncode != 0:
        raise AssertionError(f"{argv[0]} ended with {done.returncode}:\n{done.stdout[-2000:]}")
    return done.stdout


def echo(port, called_aet, calling_aet="MODALITY", timeout_s=15):
    """C-ECHO by dcmtk's echoscu; AssertionError when it is refused."""
    _run(["echoscu", "-aet", calling_aet, "-aec", called_aet, "127.0.0.1", port], timeout_s)


def storescu(paths, port, called_aet, calling_aet="MODALITY", timeout_s=300):
    """Uncompressed files by dcmtk's storescu. It parses and writes each data set anew: not for byte comparisons."""
    _run(["storescu", "-aet", calling_aet, "-aec", called_aet, "127.0.0.1", port, *paths], timeout_s)


def dcmsend(folder, port, called_aet, calling_aet="MODALITY", timeout_s=300):
    """All DICOM files of a folder by dcmtk's dcmsend, which negotiates what each file needs; returns how many were answered with
    Success. It writes each data set anew: bytes stay the same where lengths are defined, as in what datasets.py generates."""
    report = _run(
        [
            *("dcmsend", "--scan-directories", "--recurse", "--no-uid-checks", "--decompress-never"),
            "--verbose",
            *("-aet", calling_aet, "-aec", called_aet, "127.0.0.1", port, folder),
        ],
        timeout_s,
    )
    found = re.search(r"with status SUCCESS\s*: (\d+)", report)
    return int(found[1]) if found else 0


_WORKLIST_KEYS = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyInstanceUID",
    "RequestedProcedureID",
    "RequestedProcedureDescription",
    "ReferringPhysicianName",
    "ScheduledProcedureStepSequence[0].Modality={modality}",
    "ScheduledProcedureStepSequence[0].ScheduledStationAETitle",
    "ScheduledProcedureStepSequence[0].ScheduledProcedureStepStartDate={date}",
    "ScheduledProcedureStepSequence[0].ScheduledProcedureStepStartTime",
    "ScheduledProcedureStepSequence[0].ScheduledProcedureStepDescription",
    "ScheduledProcedureStepSequence[0].ScheduledProcedureStepID",
)


def worklist(port, called_aet, modality="", date="", calling_aet="MODALITY", timeout_s=30):
    """Modality Worklist C-FIND by dcmtk's findscu -W; the answers as pydicom data sets."""
    keys = [key.format(modality=modality, date=date) for key in _WORKLIST_KEYS]
    with tempfile.TemporaryDirectory() as folder:
        _run(
            [
                *("findscu", "-W", "-X", "-od", folder, "-aet", calling_aet, "-aec", called_aet),
                *(part for key in keys for part in ("-k", key)),
                *("127.0.0.1", port),
            ],
            timeout_s,
        )
        return [dcmread(path) for path in sorted(Path(folder).glob("rsp*.dcm"))]
