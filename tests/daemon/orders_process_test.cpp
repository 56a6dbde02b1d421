// The real daemon with a laboratory that takes orders, on real sockets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "daemon_process.h"
#include "mllp_device.h"
#include "tests/fakes/certificates.h"
#include "tests/fakes/laboratory.h"

namespace gateway::daemon {
namespace {

using ::testing::HasSubstr;

std::string orm(const std::string& id, const std::string& control) {
  return "MSH|^~\\&|HIS|CLINIC|GW|CLINIC|20260301101500+0100||ORM^O01^ORM_O01|" + id +
         "|P|2.5.1\rPID|1||P1||Roe^Jane||19800102|F\rORC|" + control +
         "|O-7\rOBR|1|O-7||2345-7^Glucose^LN\r";
}

TEST(Orders, WhatAHospitalOrdersIsToldTheLaboratoryOnceEvenIfThePowerGoes) {
  const fakes::TestFolder folder;
  const fakes::TestCa ca(folder, "clinic-ca");
  fakes::Laboratory laboratory(
      {.certificate = ca.issue({.name = "lab", .addresses = {"127.0.0.1"}})});
  const std::uint16_t port = free_port();
  DaemonProcess daemon;
  daemon.configure(
      "[device.his]\nprotocol = \"hl7\"\nbind = \"127.0.0.1\"\nport = " + std::to_string(port) +
      "\npatient_id_issuer = \"urn:oid:2.25.1\"\n[uplink.lab]\nkind = \"hl7\"\nurl = "
      "\"mllps://127.0.0.1:" +
      std::to_string(laboratory.port()) + "\"\nca_file = \"" + ca.file() +
      "\"\norder_codes = [\"http://loinc.org|\"]\n");
  daemon.start();
  ASSERT_TRUE(daemon.reaches("ready")) << daemon.log();

  laboratory.will_choke_on("O-7");
  EXPECT_THAT(MllpDevice(port).send(orm("1", "NW")), HasSubstr("MSA|AA|1"));
  ASSERT_TRUE(holds_within(20, [&] { return !laboratory.heard().empty(); })) << daemon.log();
  daemon.kill_hard();
  laboratory.will_choke_on("");
  const std::size_t before = laboratory.heard().size();
  daemon.start();
  ASSERT_TRUE(daemon.reaches("ready")) << daemon.log();
  const auto is_done = [&] {
    return laboratory.heard().size() > before &&
           daemon.ask({"queue"}).out.find("ServiceRequest") == std::string::npos;
  };
  ASSERT_TRUE(holds_within(20, is_done)) << daemon.ask({"queue"}).out << daemon.log();
  auto heard = laboratory.heard();
  EXPECT_TRUE(std::ranges::all_of(heard, [&](const auto& one) { return one == heard[0]; }));
  EXPECT_THAT(heard[0], HasSubstr("PID|1||P1^^^&2.25.1&ISO||Roe^Jane||19800102|F\rORC|NW|O-7|"));

  EXPECT_THAT(MllpDevice(port).send(orm("2", "DC")), HasSubstr("MSA|AA|2"));
  const auto is_cancelled = [&] { return laboratory.controls().back() == "CA O-7"; };
  EXPECT_TRUE(holds_within(20, is_cancelled)) << daemon.ask({"queue"}).out << daemon.log();
  EXPECT_THAT(daemon.ask({"audit", "export"}).out, HasSubstr("uplink:lab"));
  EXPECT_EQ(daemon.stop(), 0) << daemon.log();
  EXPECT_EQ(daemon.log().find("Roe"), std::string::npos);
}

}  // namespace
}  // namespace gateway::daemon
