"""What happens to records that clinic and hospital both change while the link between them is down.

The clinic's people work on the gateway's own FHIR API with a token, the hospital's on their FHIR server. `add()` before the gateway
starts, `edit()` while the link is down, `settle()` when it is back; `merged` and `asked` count what came of it.
"""

import hashlib
import uuid

from . import https
from .process import free_ports
from .wait import wait_until

_TOKEN = "a token of the demo's clinic app"
CLINIC_PHONE, _HOSPITAL_PHONE = "+34 600 111 001", "+34 910 222 002"

_CONFIG = """\
[api]
bind = "127.0.0.1"
port = {port}
certificate_file = "{server.cert}"
key_file = "{server.key}"
[api_client.ward]
scopes = ["system/*.cruds"]
token_sha256 = "{token_hash}"
"""


class BothSides:
    def __init__(self, his, pki):
        self._his, port = his, free_ports(1)[0]
        token_hash = hashlib.sha256(_TOKEN.encode()).hexdigest()
        self.config = _CONFIG.format(port=port, server=pki.server, token_hash=token_hash)
        self._url = f"https://127.0.0.1:{port}/fhir"
        self._clinic = https.session(pki.ca)
        self._clinic.headers["Authorization"] = f"Bearer {_TOKEN}"
        self.merged = self.asked = 0

    def add(self, patient_id):
        """The hospital gives the clinic a task about one of its patients."""
        self._patient, self._task = f"Patient/{patient_id}", f"Task/{uuid.uuid4()}"
        self._his.put(
            {
                "resourceType": "Task",
                "id": self._task.removeprefix("Task/"),
                "status": "accepted",
                "intent": "order",
                "description": "Prepare for the ultrasound",
                "for": {"reference": self._patient},
            }
        )

    def wait_at_clinic(self):
        wait_until(lambda: self._reads(self._patient) and self._reads(self._task), "the clinic has patient and task", 60)

    def edit(self):
        self._edit_at_clinic(self._patient, telecom=[_phone("mobile", CLINIC_PHONE)], birthDate="2001-11-06")
        self._edit_at_clinic(self._task, status="in-progress")
        self._edit_at_hospital(self._patient, telecom=[_phone("home", _HOSPITAL_PHONE)], gender="other")
        self._edit_at_hospital(self._task, statusReason={"text": "the patient is fasting"})

    def settle(self, gateway, say):
        """Wait until both are merged, and tell what the machine decided and what it leaves to a person."""
        wait_until(
            lambda: {self._patient, self._task} <= {row["resource"] for row in gateway.reviews()},
            "what both sides changed is merged",
            120,
        )
        for row in gateway.reviews():
            self.merged += row["state"] == "merged"
            self.asked += row["state"] == "open"
            for decision in gateway.review(row["number"])["decisions"]:
                came = "a person is asked" if decision["asked"] else f"merged, rule {decision['rule']}"
                say(f"clinic-gateway reviews: {row['number']} {row['resource'].split('/')[0]} {decision['group']}: {came}")

    def failures(self):
        """What did not come out as the policy wants it (docs/sync.md)."""
        patient, task = self._read_hospital(self._patient), self._read_hospital(self._task)
        phones = {one["value"] for one in patient.get("telecom", [])}
        wanted = {
            "no conflict was merged": self.merged >= 1,
            "no conflict was asked about": self.asked >= 1,
            "a phone number got lost": phones == {CLINIC_PHONE, _HOSPITAL_PHONE},
            "the hospital's identity was overwritten": (patient["gender"], patient["birthDate"]) == ("other", "2001-11-05"),
            "the clinic's progress got lost": task["status"] == "in-progress",
        }
        return [f"both sides: {what}" for what, holds in wanted.items() if not holds]

    def close(self):
        self._clinic.close()

    def _reads(self, reference):
        return self._clinic.get(f"{self._url}/{reference}", timeout=30).status_code == 200

    def _edit_at_clinic(self, reference, **elements):
        answer = self._clinic.get(f"{self._url}/{reference}", timeout=30)
        answer.raise_for_status()
        self._clinic.put(
            f"{self._url}/{reference}",
            json={**answer.json(), **elements},
            headers={"Content-Type": "application/fhir+json", "If-Match": answer.headers["ETag"]},
            timeout=30,
        ).raise_for_status()

    def _edit_at_hospital(self, reference, **elements):
        self._his.put({**self._read_hospital(reference), **elements})

    def _read_hospital(self, reference):
        answer = self._his.request("GET", reference, headers={"Cache-Control": "no-cache"})
        answer.raise_for_status()
        return answer.json()


def _phone(use, value):
    return {"system": "phone", "use": use, "value": value}
