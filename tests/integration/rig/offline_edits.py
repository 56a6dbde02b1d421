"""What clinic and hospital do to the same records while they cannot reach each other: the scenario list of the sync, each with what has to
come of it. The same list runs against every kind of hospital and under every fault (test_his.py).

A scenario `prepare`s in peace, edits on both sides (`at_clinic`, `at_hospital`) while the link is down, may have something to `decide`
once it is back, and `check`s. All it makes carries identifiers of its own, so that any number can share two servers.
"""

import uuid

SYSTEM = "urn:rig:offline-edits"


class Scenario:
    def __init__(self, world):
        self.world, self.clinic, self.hospital = world, world.clinic, world.hospital
        self.mark = uuid.uuid4().hex[:12]
        self.agreed, self.gone = [], []  # references that end the same on both sides, and on neither
        self.parked = set()  # references the hospital refuses until `decide`
        self.asked = set()  # a person is asked about these
        self.merged = set()  # merged without a question
        self.identified = {}  # reference -> the value of its identifier

    def prepare(self):
        pass

    def at_clinic(self):
        pass

    def at_hospital(self):
        pass

    def decide(self):
        """What a person does."""

    def check(self, case):
        """What has to hold besides both sides being equal."""

    def resource(self, type, called, **elements):
        """One with an id and an identifier of its own, of which both sides are to have one."""
        made = {
            "resourceType": type,
            "id": str(uuid.uuid4()),
            "identifier": [{"system": SYSTEM, "value": f"{self.mark}-{called}"}],
            **elements,
        }
        self.identified[f"{type}/{made['id']}"] = f"{self.mark}-{called}"
        return made

    def patient(self, name="patient", **elements):
        born = {"birthDate": "1971-03-14", "gender": "female"}
        return self.resource("Patient", name, name=[{"family": f"Pruebas{self.mark}", "given": ["Ana"]}], **born, **elements)

    def order(self, patient, name="order", **elements):
        return self.resource(
            "ServiceRequest", name, status="active", intent="order", subject=_to(patient), code={"text": "blood count"}, **elements
        )

    def result(self, patient, name="result", **elements):
        return self.resource(
            "Observation",
            name,
            status="final",
            code={"coding": [{"system": "http://loinc.org", "code": "2345-7"}]},
            subject=_to(patient),
            effectiveDateTime="2026-03-01T08:00:00+01:00",
            valueQuantity=_quantity(5.5),
            **elements,
        )

    def share(self, *resources):
        """The hospital has them, and the clinic gets them."""
        for one in resources:
            self.hospital.put(one)
            self.agreed.append(_reference(one))

    def enter(self, *resources):
        """Entered at the clinic; the hospital is to get them."""
        for one in resources:
            self.clinic.put(one)
            self.agreed.append(_reference(one))


class RegisterAndOrder(Scenario):
    """A patient comes, is registered, blood is drawn and the result is there, all offline; it changes once more."""

    def at_clinic(self):
        patient = self.patient()
        order = self.order(patient)
        first, second = (self.result(patient, name, basedOn=[_to(order)]) for name in ("result", "second-result"))
        self.enter(patient, order, first, second)
        self.clinic.edit(_reference(first), status="amended", valueQuantity=_quantity(6.25))


class CleanMerge(Scenario):
    """Both front desks add a phone number, and one of them something else."""

    def prepare(self):
        self._patient = self.patient(telecom=[_phone("home", "+34 910 000 000")])
        self.share(self._patient)

    def at_clinic(self):
        self.clinic.edit(_reference(self._patient), telecom=[*self._patient["telecom"], _phone("mobile", "+34 600 111 001")])
        self.merged = {_reference(self._patient)}

    def at_hospital(self):
        self.hospital.edit(
            _reference(self._patient),
            telecom=[*self._patient["telecom"], _phone("work", "+34 910 222 002")],
            maritalStatus={"text": "married"},
        )

    def check(self, case):
        reference = _reference(self._patient)
        merged = self.hospital.read(reference)
        numbers = sorted(one["value"] for one in merged["telecom"])
        case.assertEqual(numbers, ["+34 600 111 001", "+34 910 000 000", "+34 910 222 002"])
        case.assertEqual(merged["maritalStatus"], {"text": "married"})
        told = self.hospital.search(f"Provenance?target={reference}")
        case.assertEqual(len(told), 1, f"{reference} has not one Provenance of its merge")


class AskedConflict(Scenario):
    """Both correct the birth date: the hospital's is shown until a person takes the clinic's."""

    def prepare(self):
        self._patient = self.patient()
        self.share(self._patient)

    def at_clinic(self):
        self.clinic.edit(_reference(self._patient), birthDate="1971-03-15")
        self.asked = {_reference(self._patient)}

    def at_hospital(self):
        self.hospital.edit(_reference(self._patient), birthDate="1971-03-16")

    def decide(self):
        self.world.assertEqual(self.hospital.read(_reference(self._patient))["birthDate"], "1971-03-16")
        self.world.take(_reference(self._patient), "ours")

    def check(self, case):
        case.assertEqual(self.hospital.read(_reference(self._patient))["birthDate"], "1971-03-15")


class Deletions(Scenario):
    """Deleted at the clinic; and deleted at the hospital, changed at the clinic: that asks, and the change stays."""

    def prepare(self):
        patient = self.patient()
        self._deleted, self._changed = (self.result(patient, name) for name in ("deleted", "deleted-there"))
        self.share(patient, self._deleted, self._changed)

    def at_clinic(self):
        self.clinic.delete(_reference(self._deleted))
        self.clinic.edit(_reference(self._changed), valueQuantity=_quantity(7.5))
        self.agreed.remove(_reference(self._deleted))
        self.gone = [_reference(self._deleted)]
        self.asked = {_reference(self._changed)}

    def at_hospital(self):
        self.hospital.delete(_reference(self._changed))

    def decide(self):
        self.world.take(_reference(self._changed), "ours")

    def check(self, case):
        case.assertEqual(_value(self.hospital.read(_reference(self._changed))), "7.5")


class DeletedHereChangedThere(Scenario):
    """The hospital's change survives the clinic's deletion, and a person is asked."""

    def prepare(self):
        patient = self.patient()
        self._result = self.result(patient)
        self.share(patient, self._result)

    def at_clinic(self):
        self.clinic.delete(_reference(self._result))
        self.asked = {_reference(self._result)}

    def at_hospital(self):
        self.hospital.edit(_reference(self._result), valueQuantity=_quantity(8.5))

    def decide(self):
        self.world.take(_reference(self._result), "theirs")

    def check(self, case):
        case.assertEqual(_value(self.hospital.read(_reference(self._result))), "8.5")


class TransactionAndBatch(Scenario):
    """An app sends a transaction whose two patients refer to each other, and a batch that changes one record and makes another."""

    def prepare(self):
        self._patient = self.patient("known")
        self._order = self.order(self._patient, "known-order")
        self.share(self._patient, self._order)

    def at_clinic(self):
        mother, child = self.patient("mother"), self.patient("child")
        for one, other in ((mother, child), (child, mother)):
            one["link"] = [{"other": _to(other), "type": "seealso"}]
        self._bundle("transaction", mother, child, self.result(child, "of-the-child"))
        changed = {**self._order, "priority": "routine", "note": [{"text": "fasting"}]}
        self._bundle("batch", changed, self.result(self._patient, "of-the-known"))

    def _bundle(self, kind, *resources):
        entries = [{"resource": one, "request": {"method": "PUT", "url": _reference(one)}} for one in resources]
        answer = self.clinic.request("POST", "", {"resourceType": "Bundle", "type": kind, "entry": entries})
        told = [entry["response"]["status"][:3] for entry in answer.json()["entry"]] if answer.ok else [answer.text]
        self.world.assertTrue(set(told) <= {"200", "201"}, f"the clinic's {kind}: {told}")
        self.agreed += [_reference(one) for one in resources if _reference(one) not in self.agreed]


class StatFirst(Scenario):
    """What is stat is sent before what was entered before it."""

    def prepare(self):
        self._patient = self.patient()
        self.share(self._patient)

    def at_clinic(self):
        self._routine, self._stat = (self.order(self._patient, name, priority=name) for name in ("routine", "stat"))
        self.enter(self._routine, self._stat)

    def check(self, case):
        sent = self.world.proxy.first_sent
        case.assertLess(sent.index(_reference(self._stat)), sent.index(_reference(self._routine)), "the stat order did not go first")


class Poison(Scenario):
    """The hospital refuses an order until it knows who placed it; what needs the order waits, nothing else does."""

    def prepare(self):
        self._patient = self.patient()
        self._placer = {"resourceType": "Practitioner", "id": f"p{self.mark}", "name": [{"family": f"Medica{self.mark}"}]}
        self.share(self._patient)

    def at_clinic(self):
        placer = _reference(self._placer)
        self._order = self.order(self._patient, requester={"reference": placer})
        self._result = self.result(self._patient, "needs-the-order", basedOn=[_to(self._order)])
        self.enter(self._order, self._result)
        self.parked = {_reference(self._order)}
        self.world.demand_known(placer, self._placer)

    def decide(self):
        case, reference = self.world, _reference(self._order)
        reason = self.world.queue()[reference]["reason"]
        case.assertIn(_reference(self._placer), reason, "the hospital's own words are not told")
        case.assertIsNone(self.hospital.read(reference))
        case.assertIsNone(self.hospital.read(_reference(self._result)), "it went before what it refers to")
        self.world.make_known(_reference(self._placer), self._placer)
        self.world.retry(reference)


ALL = (
    RegisterAndOrder,
    CleanMerge,
    AskedConflict,
    Deletions,
    DeletedHereChangedThere,
    TransactionAndBatch,
    StatFirst,
    Poison,
)


def _to(resource):
    return {"reference": _reference(resource)}


def _reference(resource):
    return f"{resource['resourceType']}/{resource['id']}"


def _phone(use, value):
    return {"system": "phone", "use": use, "value": value}


def _quantity(value):
    return {"value": value, "unit": "mmol/L"}


def _value(result):
    return str(result["valueQuantity"]["value"])
