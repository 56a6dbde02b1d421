"""test_his.py BUILD_DIR: one list of offline edits (rig/offline_edits.py) under one list of faults (below), of a clinic's gateway against
a hub gateway and against HAPI FHIR JPA. Between them stands rig/faulty_proxy.py, which the gateway is configured to take for its hospital.

A fault lasts from the moment the link is back until all is settled, a person's decisions included. Then: nothing is lost, nothing is there
twice, both sides are equal, the queue is empty, and reviews are there where they are expected and nowhere else.
"""

import json
import sys
import tempfile
import time
import unittest
from pathlib import Path

from rig import faulty_proxy, hapi, offline_edits, pki
from rig.box import TOKEN, UPLINK, Box
from rig.faulty_proxy import WRITES, Fault, FaultyProxy
from rig.fhir import Fhir
from rig.process import free_ports
from rig.wait import wait_until

_SETTLED_S_MAX = 120
_NUDGE_EVERY_S = 0.7
_HTML = "<html><body>Please sign in to the guest network.</body></html>"
_BUSY = json.dumps({"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "transient"}]})


def _answers(status, deed=faulty_proxy.ANSWER, **more):
    return Fault(f"{status}{'_after_the_commit' if deed == faulty_proxy.ANSWER_AFTER else ''}", deed, status, _BUSY, **more)


FAULTS = (
    Fault("no_fault", faulty_proxy.DELAY, hits_max=0),
    Fault("cut_request", faulty_proxy.CUT_REQUEST),
    Fault("cut_answer", faulty_proxy.CUT_ANSWER),
    Fault("lost_answer", faulty_proxy.LOSE_ANSWER),
    Fault("delay", faulty_proxy.DELAY),
    Fault("duplicate", faulty_proxy.DUPLICATE),
    Fault("late_copy", faulty_proxy.LATE_COPY, methods=("PUT", "POST")),
    # Conflicts that are none: said of a write, and the read that follows shows what is there.
    _answers(409, methods=WRITES),
    _answers(412, methods=WRITES),
    # Not of a deletion, for which it means that it is done.
    _answers(410, methods=("PUT", "POST")),
    # Every larger Bundle, for as long as it lasts.
    _answers(413, methods=("POST",), over_entries=3),
    _answers(429, headers={"Retry-After": "1"}),
    _answers(500),
    _answers(500, faulty_proxy.ANSWER_AFTER),
    _answers(502),
    _answers(502, faulty_proxy.ANSWER_AFTER),
    Fault("html", faulty_proxy.ANSWER, 200, _HTML, "text/html"),
    Fault("html_after_the_commit", faulty_proxy.ANSWER_AFTER, 200, _HTML, "text/html"),
)
# What is refused alone is parked, and a person sends it again.
_PARKS = {"410"}
_INJECTED = "(transient)"


def _same(resource):
    """Without what each server says for itself."""
    return resource and {name: value for name, value in resource.items() if name not in ("meta", "text")}


def setUpModule():
    folder = tempfile.TemporaryDirectory(prefix="his-")
    unittest.addModuleCleanup(folder.cleanup)
    _Cases.folder, _Cases.pki = Path(folder.name), pki.make(Path(folder.name) / "pki")
    # It takes its time to start, and the hub's rounds need nothing of it.
    _Cases.hapi = hapi.Hapi(_Cases.folder, free_ports(1)[0], _Cases.pki, hapi.build())
    unittest.addModuleCleanup(_Cases.hapi.stop)


class _Cases:
    """The rounds, one per fault, of a gateway against `start_upstream()`'s server."""

    build_dir = folder = pki = hapi = upstream = None

    @classmethod
    def setUpClass(cls):
        url, token = cls.start_upstream()
        cls.hospital = Fhir(url, cls.pki.ca, token)
        cls.addClassCleanup(cls.hospital.close)
        cls.proxy = FaultyProxy(cls.pki, url)
        cls.addClassCleanup(cls.proxy.stop)
        pulled = {"uplink": "his", "hub": cls.proxy, "pull": '["Patient", "ServiceRequest", "Observation"]'}
        cls.box = Box(cls.build_dir, cls.folder / f"below-{cls.upstream}", cls.pki, "clinic", UPLINK, **pulled)
        cls.addClassCleanup(cls.box.stop)
        cls.box.start()
        cls.clinic = Fhir(f"https://127.0.0.1:{cls.box.port}/fhir", cls.pki.ca, TOKEN)
        cls.addClassCleanup(cls.clinic.close)
        wait_until(cls._server_is_known, "the gateway has found out what the server does", 60)

    @classmethod
    def _server_is_known(cls):
        return json.loads(cls.box.command("status"))["uplinks"][0]["server"]

    def run_round(self, fault):
        scenarios = [scenario(self) for scenario in offline_edits.ALL]
        self.proxy.deeds.clear()
        for one in scenarios:
            one.prepare()
        self.settle(scenarios, lambda: True)
        self.box.command("uplinks", "pause")
        # The clinic first: a pull that is under way may still bring what the hospital has.
        for one in scenarios:
            one.at_clinic()
        for one in scenarios:
            one.at_hospital()
        self.proxy.arm(fault)
        self.box.command("uplinks", "resume")
        self._wait("what needs nobody is delivered", scenarios, lambda: self.is_left_to_people(scenarios), fault)
        for one in scenarios:
            one.decide()
        self.settle(scenarios, lambda: not self.queue(), fault)
        self.proxy.peace()
        self.settle(scenarios, lambda: not self.queue() and not self.proxy.copies_left())
        print(f"the proxy did: {self.proxy.told()}", flush=True)
        self.judge(scenarios)
        if fault.hits_max:
            met = {deed.split()[-1] for deed in self.proxy.deeds if deed.startswith(fault.deed)}
            self.assertTrue(met & set(WRITES), "the fault met no write, so nothing is proved")

    def settle(self, scenarios, condition, fault=None):
        self._wait("both sides are equal", scenarios, lambda: condition() and not self.differing(scenarios), fault)

    def differing(self, scenarios):
        """What is not the same on both sides, or is on one of them and should be on none."""
        agreed = [reference for one in scenarios for reference in one.agreed]
        gone = [reference for one in scenarios for reference in one.gone]
        ours, theirs = (side.read_all(agreed + gone) for side in (self.clinic, self.hospital))
        return [one for one in agreed if not ours[one] or _same(ours[one]) != _same(theirs[one])] + [
            one for one in gone if ours[one] or theirs[one]
        ]

    def _wait(self, what, scenarios, condition, fault):
        """Tries everything now and then at once, or the run would mostly wait for back-offs."""
        nudged = 0

        def nudged_and_holds():
            nonlocal nudged
            if time.monotonic() - nudged >= _NUDGE_EVERY_S:
                nudged = time.monotonic()
                if fault and fault.name in _PARKS:
                    self._retry_unexpected(scenarios)
                self.box.command("uplinks", "sync")
            return condition()

        try:
            wait_until(nudged_and_holds, what, _SETTLED_S_MAX, interval_s=0.2)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.shown(scenarios)}") from None

    def _retry_unexpected(self, scenarios):
        expected = {reference for one in scenarios for reference in one.parked}
        for reference, row in self.queue().items():
            if row["state"] == "parked" and (reference not in expected or _INJECTED in row["reason"]):
                self.box.command("retry", row["number"])

    def is_left_to_people(self, scenarios):
        """Only what the hospital refuses is left, and what waits for that; and what both changed is merged or asked."""
        parked = {reference for one in scenarios for reference in one.parked}
        asked = {reference for one in scenarios for reference in one.asked}
        queue = self.queue()
        waiting = {reference for reference, row in queue.items() if row["state"] != "parked"}
        needing = {reference for one in scenarios if one.parked for reference in one.agreed}
        refused = {reference for reference, row in queue.items() if row["state"] == "parked" and _INJECTED not in row["reason"]}
        return refused == parked and waiting <= needing and {one for one, state in self.reviews().items() if state == "open"} >= asked

    def judge(self, scenarios):
        self.assertEqual(self.differing(scenarios), [])
        wanted = {reference: int(reference not in one.gone) for one in scenarios for reference in one.identified}
        self.assertEqual(self.counted_there(scenarios), wanted)
        for one in scenarios:
            with self.subTest(type(one).__name__):
                one.check(self)
        known = {reference for one in scenarios for reference in one.identified}
        expected = {one: "decided" for scenario in scenarios for one in scenario.asked}
        expected |= {one: "merged" for scenario in scenarios for one in scenario.merged}
        self.assertEqual({one: state for one, state in self.reviews().items() if one in known}, expected)

    def counted_there(self, scenarios):
        """How often the hospital has each, by its identifier."""
        values = {reference: value for one in scenarios for reference, value in one.identified.items()}
        found = []
        for type in sorted({reference.split("/")[0] for reference in values}):
            sought = [f"{offline_edits.SYSTEM}|{value}" for reference, value in values.items() if reference.startswith(type)]
            found += self.hospital.search(f"{type}?identifier={','.join(sought)}")
        there = [one["identifier"][0]["value"] for one in found]
        return {reference: there.count(value) for reference, value in values.items()}

    def shown(self, scenarios):
        return f"the proxy did: {self.proxy.told()}\ndiffering: {self.differing(scenarios)}\nqueue: {self.queue()}\nreviews: {self.reviews()}"

    # What the scenarios ask of their world.

    def queue(self):
        return {row["subject"]: row for row in json.loads(self.box.command("queue"))["queue"]}

    def reviews(self):
        return {row["resource"]: row["state"] for row in json.loads(self.box.command("reviews"))["reviews"]}

    def take(self, reference, side):
        rows = json.loads(self.box.command("reviews"))["reviews"]
        numbers = [row["number"] for row in rows if row["resource"] == reference and row["state"] == "open"]
        self.assertEqual(len(numbers), 1, f"{reference} is asked about {len(numbers)} times")
        self.box.command("reviews", "take", numbers[0], side)

    def retry(self, reference):
        self.box.command("retry", self.queue()[reference]["number"])


class GatewayAndHub(_Cases, unittest.TestCase):
    """A hub takes references to what it does not hold; its proxy is the stricter server for it."""

    upstream = "hub"

    @classmethod
    def start_upstream(cls):
        hub = Box(cls.build_dir, cls.folder / "hub", cls.pki, "hub")
        cls.addClassCleanup(hub.stop)
        hub.start()
        return f"https://127.0.0.1:{hub.port}/fhir", TOKEN

    def demand_known(self, reference, _):
        issue = {"severity": "error", "code": "processing", "diagnostics": f"{reference} is not known here"}
        self.proxy.refuse(reference, {"resourceType": "OperationOutcome", "issue": [issue]})

    def make_known(self, reference, resource):
        self.hospital.put(resource)
        self.proxy.accept(reference)


class HapiFhirJpa(_Cases, unittest.TestCase):
    """HAPI refuses a reference to what it does not hold by itself."""

    upstream = "hapi"

    @classmethod
    def start_upstream(cls):
        cls.hapi.wait_ready()
        return cls.hapi.url, None

    def demand_known(self, reference, resource):
        pass

    def make_known(self, _, resource):
        self.hospital.put(resource)


def _add_rounds(cases):
    for fault in FAULTS:
        setattr(cases, f"test_{fault.name}", lambda self, fault=fault: self.run_round(fault))


for cases in (GatewayAndHub, HapiFhirJpa):
    _add_rounds(cases)

if __name__ == "__main__":
    _Cases.build_dir = Path(sys.argv.pop(1)).resolve()
    # What one round leaves behind would spoil the next.
    unittest.main(verbosity=2, failfast=True)
