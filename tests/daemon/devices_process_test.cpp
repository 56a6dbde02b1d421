// The real daemon with an HL7 device on a real socket.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon_process.h"
#include "mllp_device.h"

namespace gateway::daemon {
namespace {

using core::Json;
using ::testing::HasSubstr;

std::string oru(const std::string& id, const std::string& patient = "P1") {
  return "MSH|^~\\&|ANALYZER|LAB|GW|CLINIC|20260301101500+0100||ORU^R01^ORU_R01|" + id +
         "|P|2.5.1\rPID|1||" + patient +
         "||Roe^Jane||19800102|F\rOBR|1|PL1|FI1|24323-8^Panel^LN|||20260301090000+0100\r"
         "OBX|1|NM|2345-7^Glucose^LN||5.0|mg/dL|70-110|N|||F\r";
}

std::string device_table(std::uint16_t port) {
  return "[device.lab]\nprotocol = \"hl7\"\nbind = \"127.0.0.1\"\nport = " + std::to_string(port) +
         "\npatient_id_issuer = \"urn:oid:2.25.1\"\n";
}

Json counts(const DaemonProcess& daemon) {
  return daemon.status()["hl7"]["devices"][std::size_t{0}]["counts"];
}

TEST(Devices, AnHl7ResultIsAcknowledgedAndARepeatHearsTheSame) {
  const std::uint16_t port = free_port();
  DaemonProcess daemon;
  daemon.configure(device_table(port));
  daemon.start();
  ASSERT_TRUE(daemon.reaches("ready")) << daemon.log();
  const MllpDevice device(port);
  ASSERT_TRUE(device.connected()) << daemon.log();
  const std::string answer = device.send(oru("1"));
  EXPECT_THAT(answer, HasSubstr("MSA|AA|1"));
  EXPECT_EQ(device.send(oru("1")), answer);
  EXPECT_THAT(device.send(oru("2", "")), HasSubstr("MSA|AA|2"));
  EXPECT_THAT(device.send("nonsense"), HasSubstr("MSA|AR|"));
  EXPECT_EQ(counts(daemon).dump(),
            R"({"stored":1,"repeated":1,"unassigned":1,"dead":1,"refused":0})");
  const Finished letters = daemon.ask({"letters"});
  EXPECT_THAT(letters.out, HasSubstr("no patient id was sent"));
  EXPECT_THAT(letters.out, HasSubstr("no MSH segment"));
  EXPECT_THAT(daemon.ask({"letters", "show", "2"}).out, HasSubstr("Glucose"));
  EXPECT_THAT(daemon.ask({"letters", "retry", "2"}).out, HasSubstr("unassigned"));
  EXPECT_EQ(daemon.ask({"letters", "show", "1"}).exit_code, 1);
  EXPECT_EQ(daemon.stop(), 0) << daemon.log();
  EXPECT_EQ(daemon.log().find("Roe"), std::string::npos);
}

TEST(Devices, WhileLockedNothingIsTakenAndTheDeviceIsToldToSendAgain) {
  const std::uint16_t port = free_port();
  DaemonProcess daemon;
  daemon.configure(device_table(port));
  daemon.start();
  ASSERT_TRUE(daemon.reaches("ready")) << daemon.log();
  daemon.stop();
  daemon.write_passphrase("wrong");
  daemon.start();
  ASSERT_TRUE(daemon.reaches("locked")) << daemon.log();
  const MllpDevice device(port);
  EXPECT_THAT(device.send(oru("1")), HasSubstr("MSA|AE|1|the gateway is locked"));
}

TEST(Devices, KilledBetweenCommitAndAnswerTheResendGivesOneResultAndTheSameAnswer) {
  const std::uint16_t port = free_port();
  DaemonProcess daemon;
  daemon.configure(device_table(port));
  daemon.set_environment("CLINIC_GATEWAY_CRASH_AT", "message-committed:1");
  daemon.start();
  ASSERT_TRUE(daemon.reaches("ready")) << daemon.log();
  {
    const MllpDevice device(port);
    EXPECT_EQ(device.send(oru("1")), "");
  }
  ASSERT_TRUE(holds_within(20, [&] { return !daemon.running(); }));
  daemon.set_environment("CLINIC_GATEWAY_CRASH_AT", "");
  daemon.start();
  ASSERT_TRUE(daemon.reaches("ready")) << daemon.log();
  const MllpDevice device(port);
  const std::string answer = device.send(oru("1"));
  EXPECT_THAT(answer, HasSubstr("MSA|AA|1"));
  EXPECT_EQ(device.send(oru("1")), answer);
  EXPECT_EQ(counts(daemon).dump(),
            R"({"stored":0,"repeated":2,"unassigned":0,"dead":0,"refused":0})");
}

}  // namespace
}  // namespace gateway::daemon
