// The real daemon with an HL7 device on a real socket.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "daemon_process.h"
#include "mllp_device.h"
#include "tests/fakes/certificates.h"
#include "tests/fakes/tls_client.h"

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

/// With a shipped profile, or one of the site's own.
std::string device_with_profile(std::uint16_t port, const std::string& profile,
                                const std::string& site_dir = "/nonexistent") {
  return "[profiles]\nshipped_dir = \"" GATEWAY_PROFILES "\"\nsite_dir = \"" + site_dir + "\"\n" +
         device_table(port) + "profile = \"" + profile + "\"\n";
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

TEST(Devices, AMessageOfSeveralPatientsHasOneAnswer) {
  const std::uint16_t port = free_port();
  DaemonProcess daemon;
  daemon.configure(device_table(port));
  daemon.start();
  ASSERT_TRUE(daemon.reaches("ready")) << daemon.log();
  const MllpDevice device(port);
  ASSERT_TRUE(device.connected()) << daemon.log();
  const std::string other =
      "PID|2||P2||Poe^Edna\rOBR|1|PL2|FI2|K\rOBX|1|NM|2823-3^K^LN||4.1|mmol/L|||||F\r";
  const std::string answer = device.send(oru("1") + other);
  EXPECT_THAT(answer, HasSubstr("MSA|AA|1"));
  EXPECT_EQ(device.send(oru("1") + other), answer);
  EXPECT_THAT(device.send(oru("2") + "PID|2||P2||Poe^Edna\r"), HasSubstr("MSA|AE|2"))
      << "the second has no result";
  EXPECT_THAT(device.send(oru("3")), HasSubstr("MSA|AA|3"));
  EXPECT_EQ(counts(daemon).dump(),
            R"({"stored":4,"repeated":2,"unassigned":0,"dead":1,"refused":0})");
  EXPECT_EQ(daemon.stop(), 0) << daemon.log();
}

TEST(Devices, UnderTlsAResultIsAcknowledgedOnceItIsDurableAndStrangersAreNotHeard) {
  const fakes::TestFolder folder;
  const fakes::TestCa ca(folder, "clinic-ca");
  const fakes::CertificateFiles gateway = ca.issue({.name = "gateway"});
  const fakes::CertificateFiles analyzer = ca.issue({.name = "analyzer"});
  ::chmod(gateway.key.c_str(), 0600);
  const std::uint16_t port = free_port();
  DaemonProcess daemon;
  daemon.configure(device_table(port) + "certificate_file = \"" + gateway.certificate +
                   "\"\nkey_file = \"" + gateway.key + "\"\nclient_ca_file = \"" + ca.file() +
                   "\"\n");
  daemon.start();
  ASSERT_TRUE(daemon.reaches("ready")) << daemon.log();
  const auto send = [&](const std::optional<fakes::CertificateFiles>& identity) {
    fakes::TlsClient device(port, ca.file(), identity);
    device.say("\x0b" + oru("1") + "\x1c\r");
    return device.hear("\x1c\r");
  };
  const std::string answer = send(analyzer);
  EXPECT_THAT(answer, HasSubstr("MSA|AA|1"));
  daemon.kill_hard();
  daemon.start();
  ASSERT_TRUE(daemon.reaches("ready")) << daemon.log();
  EXPECT_EQ(send(analyzer), answer);
  EXPECT_EQ(send(std::nullopt), "");
  EXPECT_EQ(MllpDevice(port).send(oru("2")).find("MSA"), std::string::npos) << "in the clear";
  EXPECT_EQ(counts(daemon).dump(),
            R"({"stored":0,"repeated":1,"unassigned":0,"dead":0,"refused":0})");
  EXPECT_EQ(daemon.stop(), 0) << daemon.log();
  EXPECT_THAT(daemon.log(), HasSubstr("device lab: no TLS with 127.0.0.1: peer did not return a "
                                      "certificate"));
  EXPECT_EQ(daemon.log().find("Roe"), std::string::npos);
}

std::string critical(const std::string& id, const std::string& patient) {
  std::string message = oru(id, patient);
  message.replace(message.find("||5.0|mg/dL|70-110|N|"), 21, "||19|mg/dL|70-110|LL|");
  return message;
}

TEST(Devices, ACriticalResultIsAlarmedUntilSomebodyTakesNote) {
  const std::uint16_t port = free_port();
  DaemonProcess daemon;
  daemon.configure(device_table(port));
  daemon.start();
  ASSERT_TRUE(daemon.reaches("ready")) << daemon.log();
  const MllpDevice device(port);
  ASSERT_TRUE(device.connected()) << daemon.log();
  EXPECT_THAT(device.send(oru("1")), HasSubstr("MSA|AA|1"));
  EXPECT_THAT(daemon.ask({"criticals"}).out, HasSubstr("\"criticals\":[]"));
  EXPECT_THAT(device.send(critical("2", "P1")), HasSubstr("MSA|AA|2"));
  EXPECT_THAT(device.send(critical("2", "P1")), HasSubstr("MSA|AA|2")) << "a repeat";
  EXPECT_THAT(device.send(critical("3", "")), HasSubstr("MSA|AA|3")) << "nobody knows whose";
  const Json open = daemon.status()["queue"]["criticals"];
  EXPECT_EQ(open.integer(), 2);
  EXPECT_THAT(daemon.status()["problems"].dump(), HasSubstr("2 wait for somebody to take note"));
  const std::string list = daemon.ask({"criticals"}).out;
  EXPECT_THAT(list, HasSubstr(R"("results":[{"what":"Glucose","value":"19 mg/dL","flag":)"));
  EXPECT_THAT(list, HasSubstr(R"("patient":"Patient/)"));
  EXPECT_THAT(list, HasSubstr(R"("state":"unassigned","patient":"")"));
  EXPECT_EQ(daemon.ask({"criticals", "acknowledge", "2"}).exit_code, 0);
  EXPECT_EQ(daemon.ask({"criticals", "acknowledge", "2"}).exit_code, 1) << "somebody was quicker";
  EXPECT_EQ(daemon.ask({"criticals", "acknowledge", "3"}).exit_code, 0);
  EXPECT_EQ(daemon.status()["problems"].dump(), "[]");
  EXPECT_THAT(daemon.ask({"audit", "export"}).out, HasSubstr("acknowledge-critical"));
  EXPECT_EQ(daemon.stop(), 0) << daemon.log();
}

std::string heart_rate(const std::string& id, const std::string& second, const std::string& value) {
  return "MSH|^~\\&|MONITOR|WARD|GW|CLINIC|202611201015" + second + "+0200||ORU^R01^ORU_R01|" + id +
         "|P|2.6|||||||||IHE_PCD_001\rPID|1||P1||Roe^Jane||19800102|F\r"
         "OBR|1|" +
         id + "|" + id + "|182777000^Monitoring^SCT|||202611201015" + second +
         "+0200\rOBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC|1.1.1.1|" + value +
         "|264864^MDC_DIM_BEAT_PER_MIN^MDC|||||R|||||||EUI-1\r";
}

TEST(Devices, OfAMonitorsStreamWhatIsNotDueStaysHere) {
  const std::uint16_t port = free_port();
  DaemonProcess daemon;
  daemon.configure(device_with_profile(port, "pcd-01-monitor"));
  daemon.start();
  ASSERT_TRUE(daemon.reaches("ready")) << daemon.log();
  const MllpDevice device(port);
  ASSERT_TRUE(device.connected()) << daemon.log();
  EXPECT_THAT(device.send(heart_rate("1", "00", "72")), HasSubstr("MSA|AA|1"));
  EXPECT_THAT(device.send(heart_rate("2", "01", "73")), HasSubstr("MSA|AA|2"));
  EXPECT_THAT(device.send(heart_rate("2", "01", "73")), HasSubstr("MSA|AA|2"));
  EXPECT_THAT(device.send(heart_rate("3", "02", "99")), HasSubstr("MSA|AA|3"));
  EXPECT_EQ(counts(daemon).dump(),
            R"({"stored":2,"repeated":1,"unassigned":0,"dead":0,"refused":0,"samples":1})");
  EXPECT_THAT(daemon.ask({"letters", "samples"}).out, HasSubstr("\"values\":1"));
  const std::string kept = daemon.ask({"letters", "samples", "lab"}).out;
  EXPECT_THAT(kept, HasSubstr("|73|"));
  EXPECT_EQ(kept.find("|72|"), std::string::npos);
  // What the sampler knew is gone with the daemon: at worst a value is sent once more.
  EXPECT_EQ(daemon.stop(), 0) << daemon.log();
  daemon.start();
  ASSERT_TRUE(daemon.reaches("ready")) << daemon.log();
  const MllpDevice again(port);
  EXPECT_THAT(again.send(heart_rate("4", "03", "98")), HasSubstr("MSA|AA|4"));
  EXPECT_THAT(counts(daemon).dump(), HasSubstr("\"stored\":1"));
  EXPECT_THAT(daemon.ask({"letters", "samples", "lab"}).out, HasSubstr("|73|"));
}

TEST(Devices, AnAnalyzersResultsGoThroughItsProfileWhoseRevisionIsListed) {
  const std::uint16_t port = free_port();
  DaemonProcess daemon;
  daemon.configure(device_with_profile(port, "mindray-bc"));
  daemon.start();
  ASSERT_TRUE(daemon.reaches("ready")) << daemon.log();
  const MllpDevice device(port);
  ASSERT_TRUE(device.connected()) << daemon.log();
  const std::string count =
      "|2.3.1||||||UNICODE\rPID|1||P1^^^^MR||Roe^Jane||19800102|Female\r"
      "OBR|1||T1|00001^Automated Count^99MRC|||20260305151500\r"
      "OBX|1|NM|718-7^HGB^LN||130|g/L|||||F\r";
  EXPECT_THAT(device.send("MSH|^~\\&|BC|M|||20260305151500||ORU^R01|1|P" + count),
              HasSubstr("MSA|AA|1"));
  EXPECT_THAT(device.send("MSH|^~\\&|BC|M|||20260305151500||ORU^R01|2|Q" + count),
              HasSubstr("|Q|2.3.1\rMSA|AA|2"));
  EXPECT_THAT(counts(daemon).dump(), HasSubstr("\"stored\":2"));
  EXPECT_THAT(counts(daemon).dump(), HasSubstr("\"controls\":1"));
  const Json listed = daemon.status()["hl7"]["devices"][std::size_t{0}];
  EXPECT_EQ(listed["profile"].text(), "mindray-bc");
  EXPECT_THAT(std::string(listed["revision"].text()), HasSubstr("1+"));
  EXPECT_EQ(daemon.stop(), 0) << daemon.log();
}

TEST(Devices, WhatWaitsIsWorkedOnAgainAtOnceOnceItsProfileKnowsTheUnit) {
  const std::uint16_t port = free_port();
  DaemonProcess daemon;
  const std::string shelf = daemon.folder() + "/profiles";
  const auto write_codes = [&](const std::string& unit) {
    std::filesystem::create_directories(shelf + "/counter");
    std::ofstream(shelf + "/counter/profile.toml")
        << "id = \"counter\"\nrevision = 1\ndevice = \"Counter\"\nprotocol = \"hl7\"\n"
           "kind = \"analyzer\"\n";
    std::ofstream(shelf + "/counter/codes.csv")
        << "code,unit,loinc,display,ucum\n2345-7," << unit << ",2345-7,Glucose,\n";
  };
  write_codes("g/L");
  daemon.configure(device_with_profile(port, "counter", shelf));
  daemon.start();
  ASSERT_TRUE(daemon.reaches("ready")) << daemon.log();
  {
    const MllpDevice device(port);
    for (int i = 1; i <= 103; ++i)
      EXPECT_THAT(device.send(oru(std::to_string(i))), HasSubstr("MSA|AE|")) << i;
    EXPECT_THAT(device.send("nonsense"), HasSubstr("MSA|AR|"));
  }
  write_codes("mg/dL");
  EXPECT_EQ(daemon.ask({"letters", "retry"}).exit_code, 2) << "neither a number nor --all";
  EXPECT_THAT(daemon.ask({"letters", "retry", "--all", "--device", "other"}).out,
              HasSubstr("\"tried\":0"));
  const Finished retried = daemon.ask({"letters", "retry", "--all", "--reason", "codes.csv"});
  EXPECT_THAT(retried.out,
              HasSubstr(R"("tried":103,"stored":103,"unassigned":0,"dead":0,"failed":0)"));
  EXPECT_THAT(daemon.ask({"letters", "retry", "--all"}).out,
              HasSubstr(R"("tried":1,"stored":0,"unassigned":0,"dead":1,"failed":0)"));
  EXPECT_THAT(daemon.ask({"audit", "export"}).out, HasSubstr("message/103"));
  EXPECT_EQ(daemon.stop(), 0) << daemon.log();
}

TEST(Devices, OfAMessageWithoutAPatientItIsSaidWhoseItMayBe) {
  const std::uint16_t port = free_port();
  DaemonProcess daemon;
  daemon.configure(device_table(port));
  daemon.start();
  ASSERT_TRUE(daemon.reaches("ready")) << daemon.log();
  const MllpDevice device(port);
  EXPECT_THAT(device.send(oru("1")), HasSubstr("MSA|AA|1"));
  EXPECT_THAT(device.send(oru("2", "")), HasSubstr("MSA|AA|2"));
  const auto shown = Json::parse(daemon.ask({"letters", "show", "2"}).out);
  ASSERT_TRUE(shown.ok());
  const Json& first = (*shown)["suggestions"][0U];
  EXPECT_EQ(first["name"].text(), "Roe^Jane");
  EXPECT_EQ(first["because"].dump(), R"(["name","birth_date"])");
  const std::string patient(first["patient"].text());
  EXPECT_THAT(daemon.ask({"letters", "retry", "2", "--patient", patient}).out, HasSubstr("stored"));
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
