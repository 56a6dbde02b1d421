"""The whole surroundings of one gateway: PACS, FHIR server and broker behind a WAN link, and the clinic's LAN before it.

A context manager: entering starts all peers side by side and waits until each serves, leaving stops everything, whatever happened.
"""

import contextlib
from pathlib import Path

from . import hapi, pki
from .broker import Broker, Subscriber
from .fhir import Fhir
from .gateway import SITE, Uplinks
from .link import Link
from .orthanc import Orthanc
from .process import free_ports


class Hospital:
    """After entering: `pacs`, `his` (a FHIR client that bypasses the link), `broker`, `ops` (subscribed to all of the site's
    topics), `wan` (mappings "pacs", "his", "mqtt") and `lan` (mapping "dicom" to `gateway_dicom_port`)."""

    def __init__(self, folder, class_path):
        self._folder, self._class_path = Path(folder), class_path
        self._open = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as undo:
            self._start(undo)
            self._open = undo.pop_all()
        return self

    def __exit__(self, *_):
        self._open.close()

    def _start(self, undo):
        def keep(part):
            undo.callback(part.stop)
            return part

        self.pki = pki.make(self._folder / "pki")
        his, web, dicom, mqtt, self.gateway_dicom_port = free_ports(5)
        server = keep(hapi.Hapi(self._folder, his, self.pki, self._class_path))
        self.pacs = keep(Orthanc(self._folder / "pacs", web, dicom, self.pki))
        self.broker = keep(Broker(self._folder / "broker", mqtt, self.pki))
        self.broker.wait_ready()
        self.ops = keep(Subscriber(mqtt, self.pki, f"clinic-gateway/v1/{SITE}/#"))
        self.pacs.wait_ready()
        server.wait_ready()
        self.his = Fhir(server.url, self.pki.ca)
        undo.callback(self.his.close)

        self.wan = keep(Link())
        for name, port in (("pacs", web), ("his", his), ("mqtt", mqtt)):
            self.wan.add(name, port)
        self.lan = keep(Link())
        self.modality_port = self.lan.add("dicom", self.gateway_dicom_port).port

    def uplinks(self):
        ports = {name: mapping.port for name, mapping in self.wan.mappings.items()}
        return Uplinks(ports["pacs"], ports["his"], ports["mqtt"], self.pki.ca)
