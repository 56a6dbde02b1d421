// A changed configuration is taken up by the real daemon while devices are at work.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "core/files.h"
#include "core/text.h"
#include "daemon_process.h"
#include "mllp_device.h"
#include "notify_socket.h"
#include "tests/adapters/data_sets.h"
#include "tests/adapters/scu.h"
#include "tests/fakes/certificates.h"

namespace gateway::daemon {
namespace {

using adapters::dicom::fill_ct;
using adapters::dicom::Scu;
using core::cat;
using core::Json;
using testing::HasSubstr;

constexpr char kAeTitle[] = "CLINICGW";

std::string oru(const std::string& id) {
  return cat("MSH|^~\\&|ANALYZER|LAB|GW|CLINIC|20260301101500+0100||ORU^R01^ORU_R01|", id,
             "|P|2.5.1\rPID|1||P1||Roe^Jane||19800102|F\r"
             "OBR|1|PL1|FI1|24323-8^Panel^LN|||20260301090000+0100\r"
             "OBX|1|NM|2345-7^Glucose^LN||5.0|mg/dL|70-110|N|||F\r");
}

class ReloadTest : public testing::Test {
 protected:
  void start() {
    std::filesystem::create_directory(daemon_.folder() + "/conf.d");
    daemon_.start();
    ASSERT_TRUE(daemon_.reaches("ready")) << daemon_.log();
  }
  /// A file of conf.d, in place of the one of that name.
  void put(const std::string& name, const std::string& text) const {
    std::ofstream(cat(daemon_.folder(), "/conf.d/", name, ".toml")) << text;
  }
  void put_hl7(const std::string& device, std::uint16_t port) const {
    put(device, cat("[device.", device, "]\nprotocol = \"hl7\"\nbind = \"127.0.0.1\"\nport = ",
                    port, "\npatient_id_issuer = \"urn:oid:2.25.1\"\n"));
  }
  void take_away(const std::string& name) const {
    std::filesystem::remove(cat(daemon_.folder(), "/conf.d/", name, ".toml"));
  }
  Json reload() const {
    const Finished done = daemon_.ask({"reload"});
    EXPECT_EQ(done.exit_code, 0) << done.err << daemon_.log();
    auto json = Json::parse(done.out);
    return json.ok() ? std::move(*json) : Json();
  }
  std::unique_ptr<Scu> call(const std::string& called = kAeTitle) const {
    return Scu::connect(daemon_.dicom_port(), called);
  }
  static std::uint16_t store(Scu& scu, int number) {
    DcmDataset image;
    fill_ct(image, number);
    return scu.store(image).status;
  }

  DaemonProcess daemon_;
};

TEST_F(ReloadTest, AnAssociationAndADeviceAtWorkOutliveADeviceThatComesAndGoes) {
  const std::uint16_t lab_port = free_port();
  const std::uint16_t ward_port = free_port();
  start();
  put_hl7("lab", lab_port);
  reload();
  const auto scu = call();
  ASSERT_TRUE(scu) << daemon_.log();
  EXPECT_EQ(store(*scu, 1), 0);
  const MllpDevice lab(lab_port);
  EXPECT_THAT(lab.send(oru("1")), HasSubstr("MSA|AA|1"));
  put_hl7("ward", ward_port);
  EXPECT_THAT(reload()["taken"].dump(), HasSubstr("device.ward.port"));
  const MllpDevice ward(ward_port);
  EXPECT_THAT(ward.send(oru("2")), HasSubstr("MSA|AA|2"));
  EXPECT_EQ(store(*scu, 2), 0) << "the association goes on";
  EXPECT_THAT(lab.send(oru("3")), HasSubstr("MSA|AA|3")) << "on the connection it had";
  const Json devices = daemon_.status()["hl7"]["devices"];
  EXPECT_EQ(devices.size(), 2u) << devices.dump();
  take_away("ward");
  reload();
  EXPECT_FALSE(MllpDevice(ward_port).connected());
  EXPECT_EQ(ward.send(oru("4")), "");
  EXPECT_EQ(store(*scu, 3), 0);
  EXPECT_THAT(lab.send(oru("5")), HasSubstr("MSA|AA|5"));
  scu->release();
  EXPECT_EQ(daemon_.status()["dicom"]["counts"]["associations"].integer(), 1);
  EXPECT_EQ(daemon_.status()["dicom"]["counts"]["stored"].integer(), 3);
  EXPECT_THAT(daemon_.ask({"audit", "export"}).out, HasSubstr("\"reload\""));
  EXPECT_EQ(daemon_.stop(), 0) << daemon_.log();
}

TEST_F(ReloadTest, WithAMistakeNothingChangesAndFileLineAndKeyAreNamed) {
  const std::uint16_t port = free_port();
  start();
  const std::string before = daemon_.status()["dicom"].dump();
  put_hl7("lab", port);
  put("site", "[log]\nlevel = \"debug\"\n[dicom]\nprot = 104\n");
  const Finished refused = daemon_.ask({"reload"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr(daemon_.folder() + "/conf.d/site.toml:4: dicom.prot"));
  EXPECT_THAT(refused.err, HasSubstr("nothing was changed"));
  EXPECT_THAT(daemon_.log(), HasSubstr("site.toml:4: dicom.prot"));
  EXPECT_FALSE(MllpDevice(port).connected());
  EXPECT_EQ(daemon_.status()["dicom"].dump(), before);
  EXPECT_EQ(daemon_.status()["problems"].size(), 0u);
  put("site", "[log]\nlevel = \"debug\"\n");
  EXPECT_THAT(reload()["taken"].dump(), HasSubstr("log.level"));
  EXPECT_TRUE(MllpDevice(port).connected());
}

TEST_F(ReloadTest, WhatTheStartLeftOutIsThereOnceItIsMended) {
  daemon_.configure("[device.lab]\nprotocol = \"hl7\"\nport = \"many\"\n");
  start();
  EXPECT_THAT(daemon_.status()["problems"].dump(), HasSubstr("device.lab.port"));
  std::string text = *core::read_whole_file(core::system_files(), daemon_.config_file(), 1U << 20);
  const std::uint16_t port = free_port();
  const std::string wrong = "\"many\"";
  text.replace(text.find(wrong), wrong.size(), std::to_string(port));
  std::ofstream(daemon_.config_file()) << text;
  reload();
  EXPECT_TRUE(MllpDevice(port).connected()) << daemon_.log();
  EXPECT_EQ(daemon_.status()["problems"].dump(), "[]");
}

TEST_F(ReloadTest, WhatTakesARestartIsSaidByKeyUntilItIsDoneOrTakenBack) {
  start();
  put("site", cat("[uplink.his]\nkind = \"fhir\"\nurl = \"http://127.0.0.1:", free_port(),
                  "/fhir\"\n[log]\nlevel = \"debug\"\n"));
  const Json first = reload();
  EXPECT_EQ(first["taken"].dump(), R"(["log.level"])");
  EXPECT_EQ(first["at_restart"].dump(), R"(["uplink.his.kind","uplink.his.url"])");
  EXPECT_EQ(daemon_.status()["uplinks"].size(), 0u);
  EXPECT_THAT(daemon_.status()["problems"].dump(),
              HasSubstr("uplink.his.url was changed, which takes a restart"));
  EXPECT_EQ(reload()["at_restart"].dump(), first["at_restart"].dump()) << "not forgotten";
  take_away("site");
  EXPECT_EQ(reload()["taken"].dump(), R"(["log.level"])");
  EXPECT_EQ(daemon_.status()["problems"].dump(), "[]");
}

TEST_F(ReloadTest, ADicomListenerThatIsReplacedServesItsAssociationsToTheirEnd) {
  start();
  const auto scu = call();
  ASSERT_TRUE(scu) << daemon_.log();
  EXPECT_EQ(store(*scu, 1), 0);
  put("site", "[dicom]\nae_title = \"NORTH\"\n");
  EXPECT_EQ(reload()["taken"].dump(), R"(["dicom.ae_title"])");
  EXPECT_FALSE(call()) << "under the name it had";
  const auto again = call("NORTH");
  ASSERT_TRUE(again) << daemon_.log();
  EXPECT_EQ(store(*again, 2), 0);
  EXPECT_EQ(store(*scu, 3), 0);
  EXPECT_EQ(store(*scu, 4), 0);
  scu->release();
  again->release();
  EXPECT_EQ(daemon_.stop(), 0) << daemon_.log();
  EXPECT_THAT(daemon_.ask({"status"}).exit_code, 3);
}

TEST_F(ReloadTest, ASignalReloadsTooAndSystemdHearsOfIt) {
  NotifySocket systemd(daemon_.folder() + "/notify");
  daemon_.set_environment("NOTIFY_SOCKET", daemon_.folder() + "/notify");
  start();
  ASSERT_TRUE(systemd.hears("STATUS=ready", 20));
  systemd.forget();
  const std::uint16_t port = free_port();
  put_hl7("lab", port);
  ::kill(daemon_.process(), SIGHUP);
  EXPECT_TRUE(systemd.hears("RELOADING=1\nMONOTONIC_USEC=", 20)) << daemon_.log();
  EXPECT_TRUE(systemd.hears("READY=1\nSTATUS=ready", 20)) << daemon_.log();
  EXPECT_TRUE(MllpDevice(port).connected());
  systemd.forget();
  put("site", "nonsense");
  ::kill(daemon_.process(), SIGHUP);
  EXPECT_TRUE(systemd.hears("READY=1", 20)) << "a refused reload is over too";
  EXPECT_THAT(daemon_.log(), HasSubstr("is not taken up: "));
  EXPECT_TRUE(daemon_.running());
}

/// The subject of the certificate that is shown at a port.
std::string shown_at(std::uint16_t port) {
  const std::string script = cat("openssl s_client -connect 127.0.0.1:", port,
                                 " </dev/null 2>/dev/null | openssl x509 -noout -subject");
  return run_command({"sh", "-c", script}).out;
}

TEST_F(ReloadTest, ARenewedCertificateIsShownAndAnAddedClientIsLetIn) {
  const fakes::TestFolder certificates;
  const fakes::TestCa ca(certificates, "clinic-ca");
  const auto first = ca.issue({"first", {"localhost"}, {"127.0.0.1"}});
  const auto second = ca.issue({"second", {"localhost"}, {"127.0.0.1"}});
  const std::uint16_t port = free_port();
  const std::uint16_t device_port = free_port();
  const std::string certificate = daemon_.folder() + "/api.crt";
  const std::string key = daemon_.folder() + "/api.key";
  const auto install = [&](const fakes::CertificateFiles& files) {
    for (const auto& [from, to] :
         {std::pair(files.certificate, certificate), std::pair(files.key, key)}) {
      std::filesystem::copy_file(from, to + ".new");
      ::chmod((to + ".new").c_str(), 0600);
      std::filesystem::rename(to + ".new", to);
    }
  };
  install(first);
  const std::string files =
      cat("certificate_file = \"", certificate, "\"\nkey_file = \"", key, "\"\n");
  daemon_.configure(cat(
      "[api]\nbind = \"127.0.0.1\"\nport = ", port, "\n", files,
      "[device.lab]\nprotocol = \"hl7\"\nbind = \"127.0.0.1\"\nport = ", device_port, "\n", files));
  start();
  ASSERT_TRUE(holds_within(20, [&] { return !shown_at(port).empty(); })) << daemon_.log();
  EXPECT_THAT(shown_at(port), HasSubstr("first"));
  EXPECT_THAT(shown_at(device_port), HasSubstr("first"));
  install(second);
  EXPECT_EQ(reload()["taken"].dump(), R"(["api.certificate_file","api.key_file",)"
                                      R"("device.lab.certificate_file","device.lab.key_file"])");
  for (const std::uint16_t shown : {port, device_port}) {
    EXPECT_TRUE(holds_within(20, [&] {
      return shown_at(shown).find("second") != std::string::npos;
    })) << daemon_.log();
  }
}

TEST_F(ReloadTest, AnUplinkGoesOnAtItsNewAddressAndStaysPaused) {
  daemon_.configure(
      cat("[uplink.his]\nkind = \"fhir\"\nurl = \"http://127.0.0.1:", free_port(), "/fhir\"\n"));
  start();
  const auto uplink = [this] { return daemon_.status()["uplinks"][std::size_t{0}]; };
  ASSERT_TRUE(holds_within(30, [&] { return uplink()["state"].text() == "down"; }));
  EXPECT_EQ(daemon_.ask({"uplinks", "pause"}).exit_code, 0);
  const std::uint16_t moved = free_port();
  put("his", cat("[uplink.his]\nurl = \"http://127.0.0.1:", moved, "/fhir\"\n"));
  for (int i = 0; i < 5; ++i) reload();
  EXPECT_TRUE(holds_within(20, [&] { return uplink()["paused"].boolean(); }));
  EXPECT_EQ(daemon_.ask({"uplinks", "resume"}).exit_code, 0);
  EXPECT_TRUE(holds_within(30, [&] {
    return uplink()["last_error"].text().find(std::to_string(moved)) != std::string::npos;
  })) << uplink().dump();
  EXPECT_EQ(daemon_.stop(), 0) << daemon_.log();
}

}  // namespace
}  // namespace gateway::daemon
