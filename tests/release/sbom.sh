#!/bin/bash
# sbom.sh: the package in build/deb/ says what it consists of: valid CycloneDX by its own library (PyPI), the digests are those of the
# binaries that ship, and SQLCipher, which Debian 12 links into them, is named.
set -euo pipefail

top=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
work=$(mktemp -d "${TMPDIR:-/var/tmp}/clinic-gateway-sbom.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
dpkg-deb --extract "$top"/build/deb/clinic-gateway_*.deb "$work/package"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet 'cyclonedx-python-lib[json-validation]==8.5.0'
"$work/venv/bin/python" -B - "$work/package" <<'END'
import hashlib, json, pathlib, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

root = pathlib.Path(sys.argv[1])
text = (root / "usr/share/clinic-gateway/sbom.cdx.json").read_text()
wrong = JsonStrictValidator(SchemaVersion.V1_4).validate_str(text)
assert wrong is None, wrong
bill = json.loads(text)
for part in bill["metadata"]["component"]["components"]:
    binary, = [found for found in root.glob("usr/*bin/*") if found.name == part["name"]]
    assert part["hashes"][0]["content"] == hashlib.sha256(binary.read_bytes()).hexdigest(), binary.name
names = {component["name"] for component in bill["components"]}
assert {"libsqlcipher-dev", "libdcmtk-dev", "libmosquitto1"} <= names, names
print("sbom.sh: CycloneDX 1.4 as it should be,", len(names), "components")
END
