"""The hospital's own users of the FHIR server: they register patients, place imaging orders and look at what the gateway sent.

`Fhir` talks straight to the server, never through the link. Searches bypass HAPI's cache of search results.
"""

import datetime
import decimal
import json

from . import https

_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_IDENTIFIER_TYPE = "http://terminology.hl7.org/CodeSystem/v2-0203"


class Fhir:
    def __init__(self, url, ca_file, token=None):
        self.url = url
        self._http = https.session(ca_file)
        self._http.headers["Accept"] = "application/fhir+json"
        if token:
            self._http.headers["Authorization"] = f"Bearer {token}"

    def close(self):
        self._http.close()

    def request(self, method, path, body=None, headers=None):
        """The plain answer, whatever its status: for asking the server what it does in odd cases."""
        return self._http.request(
            method,
            f"{self.url}/{path}",
            json=body,
            headers={"Content-Type": "application/fhir+json", **(headers or {})},
            timeout=60,
        )

    def put(self, resource):
        """Create or update under the id of `resource`; returns what the server stored."""
        return self._checked(
            self.request("PUT", f"{resource['resourceType']}/{resource['id']}", resource)
        )

    def create(self, resource):
        return self._checked(self.request("POST", resource["resourceType"], resource))

    def read(self, reference):
        """What `Type/id` holds, None where it is not there or was deleted. Numbers come as the texts they were sent as."""
        answer = self.request("GET", reference, headers={"Cache-Control": "no-cache"})
        if answer.status_code in (404, 410):
            return None
        self._checked(answer)
        return json.loads(answer.text, parse_float=decimal.Decimal)

    def read_all(self, references):
        """The same for many, in one batch."""
        entries = [{"request": {"method": "GET", "url": one}} for one in references]
        answer = self.request("POST", "", {"resourceType": "Bundle", "type": "batch", "entry": entries})
        self._checked(answer)
        told = json.loads(answer.text, parse_float=decimal.Decimal)["entry"]
        is_there = [one["response"]["status"].startswith("200") for one in told]
        return {one: entry["resource"] if there else None for one, entry, there in zip(references, told, is_there, strict=True)}

    def edit(self, reference, **elements):
        """Changes these elements of what is there now."""
        answer = self.request("GET", reference, headers={"Cache-Control": "no-cache"})
        return self.put({**self._checked(answer), **elements})

    def delete(self, reference):
        answer = self.request("DELETE", reference)
        if not answer.ok:
            self._checked(answer)

    def search(self, query):
        """All matches of a search, over all its pages."""
        found, path = [], query
        while path:
            page = self._checked(
                self.request("GET", path, headers={"Cache-Control": "no-cache"})
            )
            found += [
                entry["resource"]
                for entry in page.get("entry", [])
                if entry.get("search", {}).get("mode", "match") == "match"
            ]
            following = [link["url"] for link in page["link"] if link["relation"] == "next"]
            path = following[0].removeprefix(self.url).lstrip("/") if following else None
        return found

    def imaging_studies(self, study_uid):
        """The ImagingStudy resources of one DICOM study; exactly one is right."""
        return self.search(f"ImagingStudy?identifier=urn:dicom:uid|urn:oid:{study_uid}")

    @staticmethod
    def _checked(answer):
        if not answer.ok:
            raise AssertionError(
                f"{answer.request.method} {answer.url}: {answer.status_code}\n{answer.text[:2000]}"
            )
        return answer.json()


def patient_resource(id, patient, issuer):
    """A FHIR Patient for a `datasets.Patient`; `issuer` is the identifier system of its id."""
    genders = {"M": "male", "F": "female", "O": "other"}
    birth = datetime.datetime.strptime(patient.birth_date, "%Y%m%d").date()
    return {
        "resourceType": "Patient",
        "id": id,
        "identifier": [
            {
                "use": "official",
                "type": {"coding": [{"system": _IDENTIFIER_TYPE, "code": "MR"}]},
                "system": issuer,
                "value": patient.id,
            }
        ],
        "active": True,
        "name": [{"use": "official", "family": patient.family, "given": [patient.given]}],
        "gender": genders[patient.sex],
        "birthDate": birth.isoformat(),
    }


def imaging_order(id, patient_id, accession, modality, description, when):
    """A ServiceRequest as a hospital's order entry writes it; `when` is an aware datetime."""
    return {
        "resourceType": "ServiceRequest",
        "id": id,
        "identifier": [
            {
                "type": {"coding": [{"system": _IDENTIFIER_TYPE, "code": "ACSN"}]},
                "system": "urn:oid:2.25.4321",
                "value": accession,
            }
        ],
        "status": "active",
        "intent": "order",
        "category": [{"coding": [{"system": _DCM, "code": modality}]}],
        "code": {
            "coding": [{"system": "urn:oid:2.25.8765", "code": f"{modality}-1", "display": description}],
            "text": description,
        },
        "subject": {"reference": f"Patient/{patient_id}"},
        "occurrenceDateTime": when.isoformat(timespec="seconds"),
        "authoredOn": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "requester": {"display": "Dr. Aurelia Testa"},
        "performer": [{"display": "Clinic radiology"}],
        "locationReference": [{"display": f"{modality} room 1"}],
    }
