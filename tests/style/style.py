#!/usr/bin/env python3
"""style.py [--root DIR]: the rules of the house that no formatter knows.

Prints one line per violation, "FILE:LINE: what", and exits 1 on any. Rules: short files; a header opens with its contract and
#pragma once; no Manager, Helper or Util; nothing left half done; every source is built and every script runs; every package
of packaging/install-deps.sh has its line in docs/dependencies.md; a migration that was given out never changes.
"""
import argparse
import hashlib
import os
import pathlib
import re
import sys

TOP_FOLDERS = ["core", "crypto", "sync", "adapters", "daemon", "tests", "packaging", "systemd", "cmake", ".ci"]
LINES_MAX = 700
CODE = (".h", ".cpp", ".py", ".sh", ".java", ".js")
BANNED_NAME = r"(Manager|Helper|Util|Utils|Utilities)"
TYPE_NAME = re.compile(rf"\b(class|struct|enum|using|concept)\s+(class\s+)?\w*{BANNED_NAME}\b")
FILE_NAME = re.compile(r"(^|_)(manager|helpers?|utils?|utilities|misc|common)$")
# Spelled in two pieces, or this file would find itself.
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|not imple" r"mented yet)\b")


class Tree:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.violations = []
        self.files = sorted(p for top in TOP_FOLDERS for p in (self.root / top).rglob("*")
                            if p.is_file() and "__pycache__" not in p.parts)

    def name(self, path):
        return path.relative_to(self.root).as_posix()

    def report(self, path, number, text):
        self.violations.append(f"{self.name(path)}:{number}: {text}")

    def check_lines(self, path, lines):
        if len(lines) > LINES_MAX:
            self.report(path, len(lines), f"{len(lines)} lines, more than {LINES_MAX}: is this still one thing?")
        for number, line in enumerate(lines, 1):
            if m := UNFINISHED.search(line):
                self.report(path, number, f"'{m[0]}': finish it, or file an issue")
            if path.suffix in (".h", ".cpp") and (m := TYPE_NAME.search(line)):
                self.report(path, number, f"'{m[0]}' says nothing of what it does; take the field's own word")
            if path.suffix in (".h", ".cpp") and re.search(r"\busing namespace std;", line):
                self.report(path, number, "'using namespace std' hides where names come from")
        if FILE_NAME.search(path.stem) and path.suffix in CODE:
            self.report(path, 1, "a file is called by what it holds")

    def check_header(self, path, lines):
        if not lines or not lines[0].startswith("//"):
            self.report(path, 1, "a header opens with its contract: threads, failure, units, lifetime, standard")
        code = [line for line in lines if line.strip() and not line.startswith("//")]
        if not code or code[0] != "#pragma once":
            self.report(path, 1, "after its contract a header has #pragma once")

    def listed_sources(self):
        """What the CMakeLists.txt name by hand, as paths."""
        listed = set()
        for cmake in (path for path in self.files if path.name == "CMakeLists.txt"):
            for word in re.findall(r"[^\s()\"]+\.cpp", cmake.read_text(encoding="utf-8")):
                listed.add(os.path.normpath(cmake.parent / word.replace("${CMAKE_SOURCE_DIR}", str(self.root))))
        return listed

    def check_script(self, path, lines):
        runs = bool(path.stat().st_mode & 0o100)
        shebang = bool(lines) and lines[0].startswith("#!")
        if runs != shebang:
            self.report(path, 1, "has a #! line but no run bit" if shebang else "has a run bit but no #! line")

    def check_packages(self):
        script, page = self.root / "packaging/install-deps.sh", self.root / "docs/dependencies.md"
        if not script.exists() or not page.exists():
            return
        text = script.read_text(encoding="utf-8")
        lists = " ".join(re.findall(r"^(?:build|test|release)_packages=\(([^)]*)\)", text, re.MULTILINE))
        variables = re.findall(r"\b(?:boost|clang_rt|jdk|tcti)=(\S+)", text)
        wanted = set(re.findall(r"[a-z0-9][a-z0-9+.-]+", re.sub(r'"\$\w+"', "", lists))) | set(variables)
        rows = re.findall(r"^\| *((?:`[^`]+`[ ,/]*)+)\|", page.read_text(encoding="utf-8"), re.MULTILINE)
        described = {package for row in rows for package in re.findall(r"`([^`]+)`", row)}
        for package in sorted(wanted - described):
            self.report(page, 1, f"{package} of packaging/install-deps.sh has no line: why it, and what else could be?")
        for package in sorted(described - wanted):
            self.report(page, 1, f"{package} is in no list of packaging/install-deps.sh; remove its line")

    def check_migrations(self):
        """A database remembers a migration by its number and does not run it again: a change of its text reaches none that exist."""
        page = self.root / "tests/style/migrations.sha256"
        known = dict(reversed(line.split()) for line in page.read_text().splitlines()) if page.exists() else {}
        for path in (path for path in self.files if path.suffix == ".sql" and path.parent.name == "migrations"):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            listed = known.pop(self.name(path), None)
            if listed is None:
                self.report(path, 1, f"tests/style/migrations.sha256 has no line '{digest}  {self.name(path)}'")
            elif listed != digest:
                self.report(path, 1, "its text has changed since it was given out; write another migration")
        for name in known:
            self.report(page, 1, f"{name} is gone, and databases have run it")

    def check(self):
        listed = self.listed_sources()
        for path in self.files:
            try:
                lines = path.read_text(encoding="utf-8").splitlines()
            except UnicodeDecodeError:
                continue  # test data
            if path.suffix in CODE or (lines and lines[0].startswith("#!")):
                self.check_lines(path, lines)
                self.check_script(path, lines)
            if path.suffix == ".h":
                self.check_header(path, lines)
            elif path.suffix == ".cpp" and os.path.normpath(path) not in listed:
                self.report(path, 1, "no CMakeLists.txt lists this source: nothing builds it")
        self.check_packages()
        self.check_migrations()
        return self.violations


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", default=pathlib.Path(__file__).resolve().parents[2])
    tree = Tree(parser.parse_args().root)
    violations = tree.check()
    for violation in violations:
        print(violation)
    print(f"style: {len(tree.files)} files, {len(violations)} violations")
    return 1 if violations or not tree.files else 0


if __name__ == "__main__":
    sys.exit(main())
