"""Debian's Orthanc with its DICOMweb plugin as the hospital's PACS: HTTPS (by `tls.TlsFront`) with a password, DIMSE in the clear,
no limit that could drop or change anything.

`Orthanc(...)` starts it, `wait_ready()` waits until both ports serve. What arrived is asked from Orthanc itself:

- `instances()`: SOP Instance UID -> Orthanc's id, of what it holds now;
- `receipts()`: SOP Instance UID -> how often an object with that UID was handed to it, whatever became of it. Orthanc's /changes
  can't tell: overwriting an instance deletes the instance's earlier NewInstance entry. A Lua hook of Orthanc sees every arrival;
- `stored_file()`: the bytes of the DICOM file it keeps.
"""

import collections
import json
from pathlib import Path

import requests

from . import https
from .process import Process, accepts_connections, free_ports
from .tls import TlsFront

_PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"
_PAGE = 1000

USER, PASSWORD = "gateway", "pacs-password"

# Orthanc runs its Lua hooks one at a time, so lines of parallel arrivals can't mix.
_COUNT_ARRIVALS = """
function ReceivedInstanceFilter(dicom, origin, info)
  local journal = assert(io.open(%s, 'a'))
  journal:write(dicom.SOPInstanceUID, '\\n')
  journal:close()
  return true
end
"""


class Orthanc:
    def __init__(self, folder, https_port, dicom_port, pki, count_arrivals=True):
        """`count_arrivals=False` leaves the Lua hook out, for a fair benchmark."""
        [http_port] = free_ports(1)
        folder = Path(folder)
        (folder / "storage").mkdir(parents=True, exist_ok=True)
        self.url = f"https://127.0.0.1:{https_port}"
        self.dicomweb_url = f"{self.url}/dicom-web"
        self.dicom_port, self.aet = dicom_port, "PACS"
        self._journal = folder / "arrivals.txt"
        self._http = https.session(pki.ca, (USER, PASSWORD))
        scripts = [self._write_hook(folder / "arrivals.lua")] if count_arrivals else []
        config = folder / "orthanc.json"
        config.write_text(json.dumps(self._config(folder, http_port, scripts), indent=1))
        self.process = Process(
            "Orthanc", ["Orthanc", config], log=folder / "orthanc.log", cwd=folder
        )
        self._front = TlsFront(folder, https_port, http_port, pki.server)

    def _write_hook(self, path):
        self._journal.touch()
        path.write_text(_COUNT_ARRIVALS % json.dumps(str(self._journal)))
        return str(path)

    def _config(self, folder, http_port, scripts):
        return {
            "Name": "hospital-pacs",
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "TemporaryDirectory": str(folder),
            "StorageCompression": False,
            "MaximumStorageSize": 0,
            "MaximumPatientCount": 0,
            "OverwriteInstances": True,
            "LuaScripts": scripts,
            "Plugins": [_PLUGIN],
            "HttpPort": http_port,
            "AuthenticationEnabled": True,
            "RegisteredUsers": {USER: PASSWORD},
            "KeepAlive": True,
            "TcpNoDelay": True,
            "DicomPort": self.dicom_port,
            "DicomAet": self.aet,
            "DicomCheckCalledAet": False,
            "UnknownSopClassAccepted": True,
            "DicomAlwaysAllowStore": True,
            "DicomAlwaysAllowFind": True,
            "DicomScpTimeout": 120,
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": False},
        }

    def wait_ready(self, timeout_s=60):
        def answers():
            plugins = self._http.get(f"{self.url}/plugins", timeout=10)
            plugins.raise_for_status()
            return "dicom-web" in plugins.json() and accepts_connections(self.dicom_port)

        self.process.wait_ready(
            answers, "serves DICOMweb and DIMSE", timeout_s, expect=requests.ConnectionError
        )

    def add_modality(self, name, aet, port):
        """Who may ask for storage commitment, and where it is reported to."""
        modality = {"AET": aet, "Host": "127.0.0.1", "Port": port, "AllowStorageCommitment": True}
        self._http.put(f"{self.url}/modalities/{name}", json=modality, timeout=10).raise_for_status()

    def stop(self):
        self._http.close()
        self._front.stop()
        self.process.stop()

    def _get(self, path, **params):
        answer = self._http.get(f"{self.url}{path}", params=params, timeout=120)
        answer.raise_for_status()
        return answer

    def instances(self):
        """SOP Instance UID -> list of Orthanc ids; more than one only if two studies hold the same UID."""
        found = collections.defaultdict(list)
        since = 0
        while page := self._get("/instances", expand="", since=since, limit=_PAGE).json():
            for instance in page:
                found[instance["MainDicomTags"]["SOPInstanceUID"]].append(instance["ID"])
            since += len(page)
        return dict(found)

    def instance_count(self):
        return self._get("/statistics").json()["CountInstances"]

    def receipts(self):
        """A Counter of arrivals per SOP Instance UID."""
        return collections.Counter(self._journal.read_text().split())

    def stored_file(self, orthanc_id):
        return self._get(f"/instances/{orthanc_id}/file").content
