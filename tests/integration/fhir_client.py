#!/usr/bin/env python3
"""fhir_client.py --build-dir DIR: an independent FHIR client (fhirpy) drives the daemon's local API over TLS; then a second gateway
has the first, in the hub role, as its hospital.

Prints one line per step; exits 1 with the reason on the first that is not as it must be.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import requests
from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import OperationOutcome, ResourceNotFound
from rig import pki
from rig.box import TOKEN, UPLINK, Box
from rig.wait import wait_until


class ServedBox(Box):
    """A gateway and its clients."""

    def __init__(self, build, folder, certificates, role, more="", **values):
        super().__init__(build, folder, certificates, role, more, **values)
        self._ca = certificates.ca
        self.start()
        wait_until(self._answers, f"{folder.name} serves its API", 60)

    def _answers(self):
        self.process.check_alive()
        try:
            return self.get("/Patient?_count=1").status_code == 200
        except requests.ConnectionError:
            return False

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}/fhir"

    def status(self):
        return json.loads(self.command("status"))

    def get(self, path):
        return requests.get(
            self.url + path, headers={"Authorization": f"Bearer {TOKEN}"}, verify=str(self._ca), timeout=30
        )

    def client(self):
        return SyncFHIRClient(
            self.url, authorization=f"Bearer {TOKEN}", requests_config={"verify": str(self._ca), "timeout": 30}
        )


def must(condition, what):
    if not condition:
        raise SystemExit(f"FAILED: {what}")
    print(f"ok: {what}", flush=True)


def refused(call, kinds):
    try:
        call()
    except kinds:
        return True
    return False


def drive(client):
    patient = client.resource(
        "Patient",
        identifier=[{"system": "urn:rig", "value": "7"}],
        name=[{"family": "Núñez", "given": ["José"]}],
        birthDate="1975-11-05",
    )
    patient.save()
    must(patient.id and patient["meta"]["versionId"] == "1", "create gives an id and version 1")
    patient["gender"] = "male"
    patient.save()
    must(patient["meta"]["versionId"] == "2", "update gives version 2")
    for day in range(1, 8):
        client.resource(
            "Observation",
            status="final",
            code={"coding": [{"system": "http://loinc.org", "code": "2345-7"}]},
            subject=patient.to_reference(),
            effectiveDateTime=f"2026-03-0{day}T08:00:00+01:00",
            valueQuantity={"value": 5.5, "unit": "mmol/L"},
        ).save()
    found = client.resources("Patient").search(name="nunez").fetch()
    must([p.id for p in found] == [patient.id], "a name is found without its accents")
    sought = client.resources("Observation").search(patient=patient.id, code="http://loinc.org|2345-7")
    must(sought.count() == 7, "count of a search")
    newest = sought.sort("-date").limit(2).fetch()
    must(newest[0]["effectiveDateTime"].startswith("2026-03-07"), "sort by date, newest first")
    every = list(sought.sort("date").limit(3))
    must(len({o.id for o in every}) == 7 == len(every), "paging visits each once")
    included = client.resources("Observation").search(patient=patient.id).include("Observation", "subject").fetch_raw()
    modes = [entry["search"]["mode"] for entry in included["entry"]]
    must(modes.count("include") == 1, "the patient is included once")
    must(
        refused(lambda: client.resource("Observation", status="final").save(), OperationOutcome),
        "an Observation without code is refused by an OperationOutcome",
    )
    changed, created = client.resources("Patient").search(identifier="urn:rig|7").update(
        client.resource("Patient", identifier=[{"system": "urn:rig", "value": "7"}], name=patient["name"])
    )
    must(not created and changed.id == patient.id, "conditional update finds what is there")
    every[0].delete()
    gone = client.reference("Observation", every[0].id)
    must(refused(gone.to_resource, (ResourceNotFound, OperationOutcome)), "what is deleted is gone")


def enter_together(client):
    person = "urn:uuid:6f1c2c1e-6d43-4d0c-9a0b-3f0f5b1d7c11"
    entries = [
        {
            "fullUrl": person,
            "resource": {"resourceType": "Patient", "identifier": [{"system": "urn:rig", "value": "8"}]},
            "request": {"method": "POST", "url": "Patient", "ifNoneExist": "identifier=urn:rig|8"},
        },
        {
            "resource": {
                "resourceType": "Observation",
                "status": "final",
                "code": {"text": "Pain"},
                "subject": {"reference": person},
                "valueInteger": 3,
            },
            "request": {"method": "POST", "url": "Observation"},
        },
    ]
    transaction = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    answer = client.execute("/", method="post", data=transaction)
    must([entry["response"]["status"][:3] for entry in answer["entry"]] == ["201", "201"], "a transaction is taken in")
    patient = client.resources("Patient").search(identifier="urn:rig|8").first()
    pains = client.resources("Observation").search(patient=patient.id)
    must(pains.first()["subject"]["reference"] == f"Patient/{patient.id}", "what it refers to got its id")
    again = client.execute("/", method="post", data=transaction)
    must(again["entry"][0]["response"]["status"].startswith("200"), "who is there already is not made twice")
    entries[1]["resource"]["status"] = "nothing FHIR knows"
    before = pains.count()
    must(refused(lambda: client.execute("/", method="post", data=transaction), OperationOutcome), "one bad entry refuses all")
    must(pains.count() == before == 2, "and nothing of it is there")
    patient["gender"] = "female"
    patient.save()
    versions = client.execute(f"Patient/{patient.id}/_history", method="get")["entry"]
    must([entry["resource"]["meta"]["versionId"] for entry in versions] == ["2", "1"], "its history, newest first")
    first = client.execute(f"Patient/{patient.id}/_history/1", method="get")
    must("gender" not in first, "and each version by itself")


def has(box, path, part):
    return lambda: part in box.get(path).text


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build-dir", type=Path, required=True)
    build = parser.parse_args().build_dir.resolve()
    with tempfile.TemporaryDirectory(prefix="gateway-fhir-") as name:
        folder = Path(name)
        certificates = pki.make(folder / "pki")
        boxes = []
        try:
            boxes.append(ServedBox(build, folder / "hub", certificates, "hub"))
            drive(boxes[0].client())
            enter_together(boxes[0].client())
            pulled = {"uplink": "hub", "hub": boxes[0], "pull": '["Patient", "Observation"]'}
            boxes.append(ServedBox(build, folder / "post", certificates, "clinic", UPLINK, **pulled))
            hub, post = boxes
            wait_until(has(post, "/Patient?name=nunez", "Núñez"), "the post pulled the hub's patient", 60)
            must(True, "a gateway pulls from the hub")
            client = post.client()
            made = client.resource("Patient", name=[{"family": "Banda"}], birthDate="1990-01-01")
            made.save()
            wait_until(has(hub, f"/Patient/{made.id}", "Banda"), "the hub has the post's patient", 60)
            must(True, "a gateway pushes to the hub")
            server = post.status()["uplinks"][0]["server"]
            must(server["if_match_in_bundle"] and server["gzip"] and not server["warnings"], "the hub passes the probe")
            there = hub.client().reference("Patient", made.id).to_resource()
            there["gender"] = "female"
            there.save()
            wait_until(has(post, f"/Patient/{made.id}", "female"), "the post has the hub's edit", 60)
            must(True, "an edit at the hub comes back down")
        finally:
            for box in boxes:
                box.stop()
    print("fhir client: all as it must be")


if __name__ == "__main__":
    sys.exit(main())
