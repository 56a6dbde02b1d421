"""HAPI FHIR JPA (R4, H2 in memory) as the hospital's FHIR server, over Jetty's own TLS; `hapi/` holds the launcher.

`build()` compiles the launcher once per version of its sources, into a cache folder; Maven keeps the libraries in its usual
local repository. `Hapi(...)` starts the server at once, `wait_ready()` waits for its CapabilityStatement: start it first and do other
things meanwhile, it takes about 20 s on 2 idle cores, a minute on busy ones,
and 0.6 GB of memory. Each start begins with an empty database.

With `tells=True` Subscriptions with a websocket channel are bound at `websocket_url`; each write then costs the server more. HAPI looks
every 5 s at what was written: up to that late a requested Subscription becomes active, and up to that late a write is told by `ping`.
"""

import fcntl
import hashlib
import os
import subprocess
from pathlib import Path

import requests

from . import https
from .pki import P12_PASSWORD
from .process import Process

_SOURCES = Path(__file__).with_name("hapi")
_HEAP = "-Xmx1000m"


class BuildFailed(RuntimeError):
    """Maven could not build the launcher; the message ends with Maven's own words."""


def default_cache():
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "clinic-gateway-tests"


def build(cache=None):
    """Return the launcher's class path, building it when its sources are new. Needs openjdk 17 or later and Maven."""
    sources = [_SOURCES / "pom.xml", *sorted((_SOURCES / "src").glob("*.java"))]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    folder = Path(cache or default_cache()) / f"hapi-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        libraries = folder / "classpath"
        if not _is_complete(libraries):
            _run_maven(folder, libraries)
        return f"{folder / 'classes'}:{libraries.read_text().strip()}"


def _is_complete(libraries):
    """The class path names files in Maven's repository, which somebody may have emptied since."""
    return libraries.exists() and all(
        Path(name).exists() for name in libraries.read_text().strip().split(":")
    )


def _run_maven(folder, libraries):
    fresh = libraries.with_suffix(".new")
    maven = subprocess.run(
        [
            *("mvn", "--batch-mode", "--quiet", "--file", _SOURCES / "pom.xml"),
            *(f"-Dlauncher.build={folder}", f"-Dmdep.outputFile={fresh}"),
            *("compile", "dependency:build-classpath"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if maven.returncode != 0:
        raise BuildFailed(f"mvn ended with {maven.returncode}:\n{maven.stdout[-4000:]}")
    fresh.rename(libraries)


class Hapi:
    def __init__(self, folder, port, pki, class_path, tells=False):
        self.url = f"https://127.0.0.1:{port}/fhir"
        self.websocket_url = f"wss://127.0.0.1:{port}/websocket"
        self._http = https.session(pki.ca)
        # Serial collector and first-tier compiler: the quickest start and the smallest footprint for a server that lives minutes.
        self.process = Process(
            "HAPI FHIR",
            [
                *("java", _HEAP, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
                f"-Dhapi.websocket={str(tells).lower()}",
                f"-Dlogback.configurationFile={_SOURCES / 'logback.xml'}",
                *("-cp", class_path, "HapiServer", port, pki.server.p12),
            ],
            log=Path(folder) / "hapi.log",
            env={"HAPI_KEYSTORE_PASSWORD": P12_PASSWORD},
            cwd=folder,
        )

    def wait_ready(self, timeout_s=300):
        def answers():
            answer = self._http.get(f"{self.url}/metadata", timeout=60)
            return answer.status_code == 200 and answer.json()["fhirVersion"] == "4.0.1"

        # On a busy machine it accepts connections long before it answers.
        not_yet = (requests.ConnectionError, requests.Timeout)
        self.process.wait_ready(answers, "serves its CapabilityStatement", timeout_s, expect=not_yet)

    def stop(self):
        self._http.close()
        self.process.stop()
