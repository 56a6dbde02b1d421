#!/usr/bin/env bash
# alerts.sh: the alert rules of packaging/monitoring by promtool, and the dashboard by the names the rules and the daemon use.
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
monitoring=$here/../../packaging/monitoring
promtool check rules "$monitoring/clinic-gateway.rules.yml"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed "s|RULES|$(readlink -f "$monitoring/clinic-gateway.rules.yml")|" "$here/alerts_test.yml" >"$folder/test.yml"
promtool test rules "$folder/test.yml"

# A name nobody exposes would leave an alert or a panel silent for ever.
python3 - "$monitoring" "$here/../../daemon/ops/metrics_text.cpp" <<'PY'
import json, pathlib, re, sys
folder, source = map(pathlib.Path, sys.argv[1:])
exposed = source.read_text()
prefixes = ("clinic_gateway_dicom_",)
dashboard = json.loads((folder / "clinic-gateway-dashboard.json").read_text())
used = (folder / "clinic-gateway.rules.yml").read_text() + json.dumps(dashboard)
for name in sorted(set(re.findall(r"\bclinic_gateway_[a-z_]+\b", used))):
    plain = name.removesuffix("_total")
    short = next((plain.removeprefix(p) for p in prefixes if plain.startswith(p)), plain)
    if f'"{plain}"' not in exposed and f'"{short}"' not in exposed:
        sys.exit(f"{name} is used by a rule or panel, but not exposed")
print("dashboard and rules use names that are exposed")
PY
