#!/usr/bin/env python3
"""The tables of docs/sync.md are those of the code, row by row: the policy (sync/conflict_policy.cpp) with its elements and rules,
the states (sync/status_machine.cpp)."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RULES = {"union_by_key": "union"}


def documented():
    rows = []
    in_table = False
    for line in (ROOT / "docs" / "sync.md").read_text().splitlines():
        if line.startswith("| type | group |"):
            in_table = True
        elif in_table and line.startswith("| ") and not line.startswith("|---"):
            kind, group, elements, rule, reason = (cell.strip() for cell in line.strip("|").split("|"))
            if not reason:
                raise SystemExit(f"docs/sync.md: {kind} {group} has no reason")
            rows.append((kind, group, elements.split(", "), rule))
        elif in_table and not line.startswith("|"):
            in_table = False
    return rows


def coded():
    source = (ROOT / "sync" / "conflict_policy.cpp").read_text()
    source = re.sub(r"//[^\n]*", "", source[source.index("rows = {") : source.index("return rows;")])
    row = re.compile(r'\{\s*"([^"]+)",\s*"([^"]+)",\s*\{([^}]*)\},\s*(\w+)')
    return [
        (kind, group, re.findall(r'"([^"]+)"', elements), RULES.get(rule, rule))
        for kind, group, elements, rule in row.findall(source)
    ]


def documented_states():
    page = (ROOT / "docs" / "sync.md").read_text()
    table = page[page.index("| type | steps |") :].split("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    return [(kind, [step.strip().split(", ") for step in steps.split(">")]) for kind, steps in rows]


def coded_states():
    source = (ROOT / "sync" / "status_machine.cpp").read_text()
    source = source[source.index("rows = {") + 8 : source.index("return rows;")]
    words = re.findall(r'"([^"]+)"|(\})', source)
    rows, step = [], []
    for word, closes in words:
        if closes:
            if step:
                rows[-1][1].append(step)
            step = []
        elif word[0].isupper():
            rows.append((word, []))
        else:
            step.append(word)
    return rows


def main():
    if documented_states() != coded_states():
        raise SystemExit(f"docs/sync.md says {documented_states()}\nthe code says {coded_states()}")
    written, decided = documented(), coded()
    if len(decided) < 10:
        raise SystemExit("sync/conflict_policy.cpp: the table was not recognised")
    differing = [(a, b) for a, b in zip(written, decided) if a != b]
    if differing or len(written) != len(decided):
        for page, code in differing:
            print(f"docs/sync.md says {page}\n  the code says {code}", file=sys.stderr)
        raise SystemExit(f"docs/sync.md has {len(written)} rows, the code {len(decided)}")
    print(f"{len(decided)} rows agree")


main()
