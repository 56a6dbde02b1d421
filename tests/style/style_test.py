#!/usr/bin/env python3
"""The style check finds what it is there for: each case plants one violation in a small tree."""
import pathlib
import tempfile
import unittest

import style

HEADER = "// What it promises.\n#pragma once\n"


class Style(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def plant(self, path, text, mode=0o644):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)

    def assert_finds(self, *parts):
        found = style.Tree(self.root).check()
        self.assertEqual(len(found), 1, found)
        for part in parts:
            self.assertIn(part, found[0])

    def test_a_tidy_tree(self):
        self.plant("core/clock.h", HEADER + "class Clock;\n")
        self.plant("core/net/tls.cpp", "int x;\n")
        self.plant("core/CMakeLists.txt", "gateway_room(gateway_core SOURCES net/tls.cpp)\n")
        self.plant("packaging/run.sh", "#!/bin/sh\n", 0o755)
        self.assertEqual([], style.Tree(self.root).check())

    def test_a_migration_that_changed(self):
        digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # of nothing
        self.plant("tests/style/migrations.sha256", f"{digest}  sync/migrations/0001_first.sql\n")
        self.plant("sync/migrations/0001_first.sql", "")
        self.assertEqual([], style.Tree(self.root).check())
        self.plant("sync/migrations/0001_first.sql", "CREATE TABLE t (a);\n")
        self.assert_finds("0001_first.sql", "has changed")

    def test_a_migration_that_is_not_listed_or_gone(self):
        self.plant("sync/migrations/0001_first.sql", "")
        self.assert_finds("0001_first.sql", "has no line 'e3b0c442")
        self.plant("tests/style/migrations.sha256", "00  sync/migrations/0001_first.sql\n")
        (self.root / "sync/migrations/0001_first.sql").unlink()
        self.assert_finds("0001_first.sql is gone")

    def test_a_header_without_a_contract(self):
        self.plant("core/clock.h", "#pragma once\n")
        self.assert_finds("core/clock.h:1:", "contract")

    def test_a_header_without_pragma_once(self):
        self.plant("core/clock.h", "// What it promises.\nclass Clock;\n")
        self.assert_finds("#pragma once")

    def test_a_type_without_a_meaning(self):
        self.plant("core/clock.h", HEADER + "class ClockMan" "ager {};\n")
        self.assert_finds("core/clock.h:3:")

    def test_a_file_without_a_meaning(self):
        self.plant("core/string_utils.h", HEADER)
        self.assert_finds("called by what it holds")

    def test_something_unfinished(self):
        self.plant("core/clock.h", HEADER + "// TO" "DO: zones\n")
        self.assert_finds("core/clock.h:3:", "finish it")

    def test_a_long_file(self):
        self.plant("core/clock.h", HEADER + "\n" * style.LINES_MAX)
        self.assert_finds("702 lines")

    def test_a_source_nobody_builds(self):
        self.plant("core/clock.cpp", "int x;\n")
        self.plant("core/CMakeLists.txt", "gateway_room(gateway_core SOURCES alarm_clock.cpp)\n")
        self.assert_finds("core/clock.cpp:1:", "nothing builds it")

    def test_a_source_listed_from_elsewhere(self):
        self.plant("tests/fakes/clock.cpp", "int x;\n")
        self.plant("tests/core/CMakeLists.txt", "gateway_tests(core_tests SOURCES ../fakes/clock.cpp)\n")
        self.assertEqual([], style.Tree(self.root).check())

    def test_a_script_that_does_not_run(self):
        self.plant("packaging/run.sh", "#!/bin/sh\n")
        self.assert_finds("no run bit")

    def test_a_package_nobody_explained(self):
        self.plant("packaging/install-deps.sh", "#!/bin/sh\nbuild_packages=(\n  g++ cmake\n)\n", 0o755)
        self.plant("docs/dependencies.md", "| package | why |\n| --- | --- |\n| `g++` | the compiler |\n")
        self.assert_finds("docs/dependencies.md:1:", "cmake of packaging/install-deps.sh has no line")

    def test_a_package_nobody_installs(self):
        self.plant("packaging/install-deps.sh", "#!/bin/sh\nbuild_packages=(g++)\n", 0o755)
        self.plant("docs/dependencies.md", "| `g++`, `fortran` | compilers |\n")
        self.assert_finds("fortran is in no list")


if __name__ == "__main__":
    unittest.main()
