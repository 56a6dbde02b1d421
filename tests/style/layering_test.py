#!/usr/bin/env python3
"""The layering check finds what it is there for: each case plants one violation in a small tree."""
import pathlib
import tempfile
import unittest

import layering


class Layering(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.addCleanup(layering.EXCEPTIONS.clear)

    def violations(self, **files):
        for path, text in files.items():
            file = self.root / path.replace("__", "/").replace("_h", ".h").replace("_cpp", ".cpp").replace(
                "_cmake", "/CMakeLists.txt")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return layering.Tree(self.root).check()

    def assert_one(self, found, *parts):
        self.assertEqual(len(found), 1, found)
        for part in parts:
            self.assertIn(part, found[0])

    def test_what_stands_left_may_be_included(self):
        self.assertEqual([], self.violations(core__clock_h="#include <string>\n",
                                             daemon__main_cpp='#include <sys/stat.h>\n#include "core/clock.h"\n'))

    def test_a_room_right_of_it_may_not(self):
        self.assert_one(self.violations(sync__engine_h="", crypto__database_cpp='\n#include "sync/engine.h"\n'),
                        "crypto/database.cpp:2:", "right of it")

    def test_core_does_not_know_core_net(self):
        self.assert_one(self.violations(core__net__http_h="", core__log_cpp='#include "core/net/http.h"\n'),
                        "core/log.cpp:1:", "don't know each other")

    def test_protocols_do_not_know_each_other(self):
        self.assert_one(self.violations(adapters__hl7__framer_h="", adapters__dicom__scp_cpp='#include "adapters/hl7/framer.h"\n'),
                        "adapters/dicom/scp.cpp:1:", "don't know each other")

    def test_protocols_meet_in_what_is_shared(self):
        self.assertEqual([], self.violations(adapters__adapter_h="", adapters__mapping__units_h="",
                                             adapters__hl7__decoder_cpp='#include "adapters/adapter.h"\n'
                                                                        '#include "adapters/mapping/units.h"\n'))

    def test_what_is_shared_knows_no_protocol(self):
        self.assert_one(self.violations(adapters__hl7__framer_h="", adapters__adapter_h='#include "adapters/hl7/framer.h"\n'),
                        "adapters/adapter.h:1:")

    def test_a_third_party_header_outside_its_room(self):
        self.assert_one(self.violations(daemon__main_cpp="#include <spdlog/spdlog.h>\n"), "daemon/main.cpp:1:", "belongs to core")

    def test_the_longest_prefix_decides(self):
        self.assertEqual([], self.violations(sync__engine_cpp="#include <boost/asio/post.hpp>\n",
                                             core__net__tls_cpp="#include <openssl/ssl.h>\n"))

    def test_beast_in_core_but_outside_net(self):
        self.assert_one(self.violations(core__log_cpp="#include <boost/beast/core.hpp>\n"), "belongs to core/net")

    def test_a_third_party_header_that_leaks_through_two_of_ours(self):
        found = self.violations(crypto__inner_h="#include <sqlcipher/sqlite3.h>\n", crypto__database_h='#include "crypto/inner.h"\n',
                                sync__replica_cpp='#include "crypto/database.h"\n')
        self.assert_one(found, "sync/replica.cpp:1:", "through crypto/inner.h", "pimpl")

    def test_a_third_party_header_nobody_listed(self):
        self.assert_one(self.violations(core__json_cpp="#include <nlohmann/json.hpp>\n"), "in no table")

    def test_a_link_to_the_right(self):
        found = self.violations(sync_cmake="gateway_room(gateway_sync SOURCES a.cpp LINKS gateway_core)\n",
                                crypto_cmake="gateway_room(gateway_crypto\n SOURCES a.cpp\n PUBLIC_LINKS gateway_core gateway_sync)\n",
                                core_cmake="gateway_room(gateway_core SOURCES a.cpp LINKS spdlog::spdlog)\n")
        self.assert_one(found, "crypto/CMakeLists.txt:1:", "gateway_sync")

    def test_a_third_party_link_outside_its_room(self):
        self.assert_one(self.violations(daemon_cmake="add_library(d a.cpp)\ntarget_link_libraries(d PRIVATE DCMTK::dcmnet)\n"),
                        "daemon/CMakeLists.txt:2:", "adapters")

    def test_a_test_that_looks_to_the_right(self):
        self.assert_one(self.violations(tests__core__log_test_cpp='#include "daemon/settings.h"\n'), "a test of core")

    def test_an_exception_is_used(self):
        layering.EXCEPTIONS[("daemon/main.cpp", "spdlog/spdlog.h")] = "a reason"
        self.assertEqual([], self.violations(daemon__main_cpp="#include <spdlog/spdlog.h>\n"))

    def test_a_stale_exception(self):
        layering.EXCEPTIONS[("daemon/main.cpp", "spdlog/spdlog.h")] = "a reason"
        self.assert_one(self.violations(daemon__main_cpp=""), "needed no more")


if __name__ == "__main__":
    unittest.main()
