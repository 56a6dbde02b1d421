"""The rig proves itself, without the gateway: its senders, peers, link and comparisons do what the product's test relies on.

A red main job is then the gateway's fault, and a red test here is ours.
"""

import datetime
import logging
import tempfile
import threading
import unittest
import uuid
from pathlib import Path

import requests
import websocket

from rig import broker, compare, datasets, fhir, hapi, https, pki, plaintext, senders
from rig.link import BLACKHOLE, RESET, Link
from rig.orthanc import PASSWORD, USER, Orthanc
from rig.process import free_ports
from rig.wait import Timeout, wait_until

_PATIENT = datasets.Patient("Quintanavilla", "Esmeraldina", "RIGPATIENT0001", "19620214", "F")


class WithFolder(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="rig-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.pki = pki.make(cls.folder / "pki")


class PacsAndSender(WithFolder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        web, dicom = free_ports(2)
        cls.pacs = Orthanc(cls.folder / "pacs", web, dicom, cls.pki)
        cls.addClassCleanup(cls.pacs.stop)
        cls.pacs.wait_ready()
        cls.link = Link()
        cls.addClassCleanup(cls.link.stop)
        cls.dicom = cls.link.add("dicom", dicom)
        cls.https = cls.link.add("https", web)
        cls.ct = datasets.write_ct_series(cls.folder / "ct", _PATIENT, "RIG0001", "2.25.11", slices=12)

    def tearDown(self):
        self.link.restore()

    def send(self, instances, **options):
        sender = senders.Sender(instances, self.dicom.port, self.pacs.aet, **options)
        thread = threading.Thread(target=sender.run, args=(60,))
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.link.restore)
        self.addCleanup(sender.stop)
        return sender, thread

    def stow(self, instance):
        body = b"".join(
            [b"--part\r\nContent-Type: application/dicom\r\n\r\n", instance.path.read_bytes(), b"\r\n--part--\r\n"]
        )
        with https.session(self.pki.ca, (USER, PASSWORD)) as pacs:
            return pacs.post(
                f"https://127.0.0.1:{self.https.port}/dicom-web/studies",
                data=body,
                headers={
                    "Content-Type": 'multipart/related; type="application/dicom"; boundary=part',
                    "Accept": "application/dicom+json",
                },
                timeout=60,
            )

    def test_pydicom_files_span_the_syntaxes_and_arrive_as_they_were(self):
        files = datasets.pydicom_files(self.folder / "pydicom")
        self.assertGreaterEqual(len({one.transfer_syntax for one in files}), 11)
        self.assertEqual(len({one.sop_uid for one in files}), len(files))
        before = self.pacs.receipts()
        for one in files:
            answer = self.stow(one)
            self.assertEqual(answer.status_code, 200, f"{one.path.name}: {answer.text[:500]}")
        held, seen = self.pacs.instances(), self.pacs.receipts() - before
        for one in files:
            with self.subTest(one.path.name):
                self.assertEqual(len(held[one.sop_uid]), 1)
                self.assertEqual(seen[one.sop_uid], 1)
                stored = self.pacs.stored_file(held[one.sop_uid][0])
                self.assertIsNone(compare.difference(one.path, stored))

    def test_a_second_arrival_is_counted(self):
        one = self.ct[-1]
        senders.storescu([one.path, one.path], self.pacs.dicom_port, self.pacs.aet)
        self.assertEqual(self.pacs.receipts()[one.sop_uid], 2)
        self.assertEqual(len(self.pacs.instances()[one.sop_uid]), 1)

    def test_a_blackhole_in_the_middle_of_an_instance_holds_it_and_restoring_lets_it_arrive(self):
        two = self.ct[:2]
        tripped = self.dicom.trip_after(two[0].path.stat().st_size * 3 // 2, BLACKHOLE)
        sender, thread = self.send(two)
        self.assertTrue(tripped.wait(20))
        wait_until(lambda: len(sender.succeeded) == 1, "the first instance succeeded", 10)
        self.assertEqual(sender.in_flight, two[1])
        thread.join(1)
        self.assertTrue(thread.is_alive())
        self.link.restore()
        thread.join(20)
        self.assertEqual(sender.succeeded, {one.sop_uid for one in two})
        self.assertEqual(sender.attempts, 2)

    def test_a_reset_link_makes_the_sender_send_again(self):
        two = self.ct[2:4]
        tripped = self.dicom.trip_after(two[0].path.stat().st_size * 3 // 2, RESET)
        sender, thread = self.send(two)
        self.assertTrue(tripped.wait(20))
        wait_until(lambda: sender.failures, "the sender noticed", 10)
        self.link.restore()
        thread.join(20)
        self.assertEqual(sender.succeeded, {one.sop_uid for one in two})
        self.assertEqual((sender.attempts, sender.associations), (3, 2))

    def test_a_dropped_answer_leaves_the_object_at_the_pacs_and_the_client_without_word(self):
        one = self.ct[4]
        dropped = self.https.drop_next_answer(after_bytes_up=one.path.stat().st_size)
        with self.assertRaises(requests.ConnectionError):
            self.stow(one)
        self.assertTrue(dropped.is_set())
        self.assertIn(one.sop_uid, self.pacs.instances())

    def test_dcmtk_tools_reach_it(self):
        senders.echo(self.pacs.dicom_port, self.pacs.aet)
        senders.dcmsend(self.folder / "ct", self.pacs.dicom_port, self.pacs.aet)
        self.assertLessEqual({one.sop_uid for one in self.ct}, set(self.pacs.instances()))

    def test_a_multiframe_of_many_megabytes_is_a_valid_object(self):
        [large] = datasets.write_multiframe(self.folder / "large.dcm", _PATIENT, "RIG2", "2.25.12", 20)
        sender, thread = self.send([large])
        thread.join(60)
        [held] = self.pacs.instances()[large.sop_uid]
        self.assertIsNone(compare.difference(large.path, self.pacs.stored_file(held)))

    def test_plaintext_is_found_where_it_lies(self):
        place = self.folder / "plain"
        place.mkdir()
        (place / "state").write_bytes(b"x" * 5000 + self.ct[0].path.read_bytes())
        needles = [_PATIENT.family.encode(), _PATIENT.id.encode(), *plaintext.pixel_runs(self.ct[0].path)]
        self.assertEqual(len(plaintext.find(needles, [place])), len(needles))
        self.assertEqual(plaintext.find([b"Somebody else"], [place]), [])


class BrokerAndSubscriber(WithFolder):
    def test_retained_messages_outlive_a_change_of_certificate(self):
        [port] = free_ports(1)
        server = broker.Broker(self.folder / "broker", port, self.pki)
        self.addCleanup(server.stop)
        server.wait_ready()
        first = broker.Subscriber(port, self.pki, "t/#")
        self.addCleanup(first.stop)
        first.publish("t/status", b'{"state":"ready"}', retain=True)
        first.wait_for(lambda m: m.json()["state"] == "ready", 10)
        server.restart_with(self.pki.expired)
        with self.assertRaisesRegex(Exception, "certificate has expired"):
            broker.Subscriber(port, self.pki, "t/#")
        server.restart_with(self.pki.server)
        second = broker.Subscriber(port, self.pki, "t/#")
        self.addCleanup(second.stop)
        self.assertTrue(second.wait_for(lambda m: m.topic == "t/status", 10).retained)


class HapiServer(WithFolder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        [port] = free_ports(1)
        cls.hapi = hapi.Hapi(cls.folder, port, cls.pki, hapi.build(), tells=True)
        cls.addClassCleanup(cls.hapi.stop)
        cls.hapi.wait_ready()
        cls.his = fhir.Fhir(cls.hapi.url, cls.pki.ca)
        cls.addClassCleanup(cls.his.close)

    def patient(self):
        return fhir.patient_resource(str(uuid.uuid4()), _PATIENT, f"urn:oid:2.25.{uuid.uuid4().int}")

    def order(self, patient_id):
        when = datetime.datetime.now(datetime.timezone.utc)
        return fhir.imaging_order(str(uuid.uuid4()), patient_id, "RIG0001", "CT", "CT of the head", when)

    def test_client_ids_are_taken_unless_numeric(self):
        patient = self.patient()
        self.assertEqual(self.his.put(patient)["id"], patient["id"])
        self.assertEqual(self.his.request("PUT", "Patient/12345", {**patient, "id": "12345"}).status_code, 400)

    def test_a_stale_if_match_is_a_conflict(self):
        patient = self.his.put(self.patient())
        self.his.put({**patient, "active": False})
        answer = self.his.request(
            "PUT", f"Patient/{patient['id']}", patient, headers={"If-Match": 'W/"1"'}
        )
        self.assertEqual(answer.status_code, 409)

    def test_a_conditional_create_happens_once(self):
        patient = {**self.patient()}
        del patient["id"]
        identifier = patient["identifier"][0]
        only = {"If-None-Exist": f"identifier={identifier['system']}|{identifier['value']}"}
        statuses = [
            self.his.request("POST", "Patient", patient, headers=only).status_code for _ in range(2)
        ]
        self.assertEqual(statuses, [201, 200])

    def test_orders_are_found_by_last_update_and_with_their_patient(self):
        patient = self.his.put(self.patient())
        order = self.his.put(self.order(patient["id"]))
        since = order["meta"]["lastUpdated"]
        found = self.his.search(
            f"ServiceRequest?status=active&_lastUpdated=ge{since.replace('+', '%2B')}&_sort=_lastUpdated"
        )
        self.assertIn(order["id"], [one["id"] for one in found])
        page = self.his.request("GET", f"ServiceRequest?_id={order['id']}&_include=ServiceRequest:subject")
        self.assertEqual(len(page.json()["entry"]), 2)

    def test_history_and_deletes_are_told(self):
        patient = self.his.put(self.patient())
        self.assertEqual(self.his.request("DELETE", f"Patient/{patient['id']}").status_code, 200)
        since = patient["meta"]["lastUpdated"].replace("+", "%2B")
        history = self.his.request("GET", f"Patient/_history?_since={since}").json()
        methods = {
            entry["request"]["method"]
            for entry in history["entry"]
            if patient["id"] in entry["fullUrl"]
        }
        self.assertEqual(methods, {"PUT", "DELETE"} if "PUT" in methods else {"POST", "DELETE"})

    def test_a_transaction_is_all_or_nothing(self):
        good, dangling = self.patient(), self.order("no-such-patient")
        bundle = {
            "resourceType": "Bundle",
            "type": "transaction",
            "entry": [
                {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
                for one in (good, dangling)
            ],
        }
        self.assertGreaterEqual(self.his.request("POST", "", bundle).status_code, 400)
        self.assertEqual(self.his.request("GET", f"Patient/{good['id']}").status_code, 404)
        bundle["entry"].pop()
        self.assertEqual(self.his.request("POST", "", bundle).status_code, 200)

    def test_a_resource_can_be_validated(self):
        bad = {**self.order("x"), "intent": "no-such-intent"}
        outcome = self.his.request("POST", "ServiceRequest/$validate", bad).json()
        self.assertIn("error", {issue["severity"] for issue in outcome["issue"]})

    def test_imaging_studies_are_counted_by_study(self):
        patient = self.his.put(self.patient())
        study = {
            "resourceType": "ImagingStudy",
            "id": str(uuid.uuid4()),
            "identifier": [{"system": "urn:dicom:uid", "value": "urn:oid:2.25.77"}],
            "status": "available",
            "subject": {"reference": f"Patient/{patient['id']}"},
        }
        self.assertEqual(self.his.imaging_studies("2.25.77"), [])
        self.his.put(study)
        self.assertEqual(len(self.his.imaging_studies("2.25.77")), 1)

    def test_who_subscribed_hears_a_ping_when_a_matching_resource_is_written(self):
        patient = self.patient()
        asked = {
            "resourceType": "Subscription",
            "id": str(uuid.uuid4()),
            "status": "requested",
            "reason": "To pull at once",
            "criteria": f"Patient?_id={patient['id']}",
            "channel": {"type": "websocket"},
        }
        self.his.put(asked)
        wait_until(lambda: self.his.read(f"Subscription/{asked['id']}")["status"] == "active", "it is active", 20)
        client = websocket.create_connection(
            self.hapi.websocket_url, 20, sslopt={"ca_certs": str(self.pki.ca)}, http_no_proxy=["127.0.0.1"]
        )
        self.addCleanup(client.close)
        client.send(f"bind {asked['id']}")
        self.assertEqual(client.recv(), f"bound {asked['id']}")
        self.his.put(self.patient())
        self.his.put(patient)
        self.assertEqual(client.recv(), f"ping {asked['id']}")


class Waiting(unittest.TestCase):
    def test_a_deadline_tells_what_was_seen(self):
        with self.assertRaisesRegex(Timeout, "still not: three; last seen: 0"):
            wait_until(lambda: 0, "three", 0.1)


if __name__ == "__main__":
    # pynetdicom leaves the sockets of dead associations to the garbage collector and pydicom's files are odd on purpose.
    logging.getLogger("pydicom").setLevel(logging.ERROR)
    unittest.main(warnings="ignore")
