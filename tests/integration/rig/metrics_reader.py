"""What a gateway shows at /metrics, read by Prometheus' own client, promtool and a real Prometheus with our alert rules."""

import subprocess
from pathlib import Path

import requests
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from . import https
from .process import Process, free_ports
from .wait import wait_until

OPEN_METRICS = "application/openmetrics-text; version=1.0.0"
RULES = Path(__file__).resolve().parents[3] / "packaging" / "monitoring" / "clinic-gateway.rules.yml"

_CONFIG = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: clinic-gateway
    scheme: https
    metrics_path: /metrics
    authorization: {{credentials: "{token}"}}
    tls_config: {{ca_file: "{ca}"}}
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


class Metrics:
    def __init__(self, port, ca):
        self._url, self._http = f"https://127.0.0.1:{port}/metrics", https.session(ca)

    def text(self, accept=OPEN_METRICS):
        answer = self._http.get(self._url, headers={"Accept": accept}, timeout=30)
        answer.raise_for_status()
        return answer.text, answer.headers["Content-Type"]

    def samples(self):
        """{(name, labels as sorted pairs): value}, by a strict OpenMetrics parser."""
        families = text_string_to_metric_families(self.text()[0])
        return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}

    def promtool(self):
        """What promtool has against the older format; empty: nothing."""
        done = subprocess.run(["promtool", "check", "metrics"], input=self.text("text/plain")[0], capture_output=True, text=True, timeout=30)
        return done.stdout + done.stderr


def scrape(folder, port, ca, token, alert):
    """A real Prometheus scrapes the gateway until `alert` is pending or firing; the states of all alerts it knows by then."""
    folder.mkdir()
    [own] = free_ports(1)
    config = folder / "prometheus.yml"
    config.write_text(_CONFIG.format(rules=RULES, token=token, ca=ca, port=port))
    prometheus = Process(
        "prometheus",
        ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{own}"],
        log=folder / "prometheus.log",
    )

    def alerts():
        answer = requests.get(f"http://127.0.0.1:{own}/api/v1/alerts", timeout=10)
        answer.raise_for_status()
        return {one["labels"]["alertname"]: one["state"] for one in answer.json()["data"]["alerts"]}

    try:
        return prometheus.wait_ready(lambda: alert in (seen := alerts()) and seen, f"{alert} is raised", 60, expect=requests.RequestException)
    finally:
        prometheus.stop()
