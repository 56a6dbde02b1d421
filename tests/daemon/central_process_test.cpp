// What central operations hear of the real daemon over a real broker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <set>

#include "central_listener.h"
#include "core/files.h"
#include "core/text.h"
#include "json_schema.h"
#include "mllp_device.h"
#include "port_holder.h"

namespace gateway::daemon {
namespace {

using core::cat;
using core::Json;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;

/// Nothing of these may leave over MQTT, in whatever field they came.
constexpr std::array kPlanted{"Quillfeather", "QUILLFEATHER", "Ondine",    "PLANT-4711", "19511105",
                              "1951-11-05",   "ACC-8812",     "Gallstone", "2.25.471100"};

Json schema_of(const std::string& name) {
  const auto text = core::read_whole_file(
      core::system_files(), cat(GATEWAY_SOURCE_DIR "/docs/mqtt/", name, ".schema.json"), 1U << 20);
  auto json = Json::parse(text.ok() ? *text : "");
  return json.ok() ? std::move(*json) : Json();
}

std::string planted_oru(const std::string& id, const std::string& patient) {
  return cat("MSH|^~\\&|Quillfeather|Ondine|GW|CLINIC|20260301101500+0100||ORU^R01^ORU_R01|", id,
             "|P|2.5.1\rPID|1||", patient,
             "||Quillfeather^Ondine||19511105|F\rOBR|1|ACC-8812|FI1|24323-8^Gallstone^LN|||"
             "20260301090000+0100\rOBX|1|NM|2345-7^Gallstone^LN||5.0|mg/dL|70-110|N|||F\r");
}

/// A DICOM image of the planted patient, sent by dcmtk's own tools.
bool send_planted_image(const DaemonProcess& daemon) {
  const std::string dump = daemon.folder() + "/image.dump";
  const std::string file = daemon.folder() + "/image.dcm";
  std::ofstream(dump) << "(0008,0016) UI 1.2.840.10008.5.1.4.1.1.7\n(0008,0018) UI 2.25.4711001\n"
                         "(0008,0050) SH ACC-8812\n(0008,1030) LO Gallstone\n"
                         "(0010,0010) PN Quillfeather^Ondine\n(0010,0020) LO PLANT-4711\n"
                         "(0010,0030) DA 19511105\n(0020,000d) UI 2.25.4711002\n"
                         "(0020,000e) UI 2.25.4711003\n";
  return run_command({"dump2dcm", "+te", dump, file}).exit_code == 0 &&
         run_command({"storescu", "-aet", "QUILLFEATHER", "-aec", "CLINICGW", "127.0.0.1",
                      std::to_string(daemon.dicom_port()), file})
                 .exit_code == 0;
}

std::string certificate_of_ten_days(const std::string& folder) {
  std::string file = folder + "/ca.pem";
  run_command({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
               "ec_paramgen_curve:prime256v1", "-nodes", "-days", "10", "-subj", "/CN=ca", "-out",
               file, "-keyout", folder + "/key"});
  return file;
}

/// What an event says, without its times.
std::string told(const Json& event) {
  return cat(event["event"].text(), ' ', event["alarm"].text(), ' ', event["severity"].text(),
             event["historical"].boolean() ? " historical" : "");
}

std::vector<std::string> events(const CentralListener& central) {
  std::vector<std::string> list;
  for (const auto& heard : central.heard("events")) list.push_back(told(heard.json));
  return list;
}

class CentralTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!CentralListener::installed()) GTEST_SKIP() << "no mosquitto here";
  }
  CentralListener central_;
  DaemonProcess daemon_;
};

TEST_F(CentralTest, HearsEverythingInTheFormOfItsSchemaAndOfNoPatient) {
  const std::uint16_t device = free_port();
  daemon_.configure(central_.table());
  daemon_.configure(cat("[device.lab]\nprotocol = \"hl7\"\nbind = \"127.0.0.1\"\nport = ", device,
                        "\npatient_id_issuer = \"urn:oid:2.25.1\"\n"));
  daemon_.configure(cat("[uplink.his]\nkind = \"fhir\"\nurl = \"https://127.0.0.1:", free_port(),
                        "/fhir\"\nca_file = \"", certificate_of_ten_days(daemon_.folder()),
                        "\"\n"));
  ASSERT_TRUE(central_.open());
  daemon_.start();
  ASSERT_TRUE(daemon_.reaches("ready")) << daemon_.log();
  {
    const MllpDevice analyzer(device);
    EXPECT_THAT(analyzer.send(planted_oru("1", "PLANT-4711")), HasSubstr("MSA|AA|1"));
    EXPECT_THAT(analyzer.send(planted_oru("2", "")), HasSubstr("MSA|AA|2"));
    EXPECT_THAT(analyzer.send("Quillfeather, Ondine"), HasSubstr("MSA|AR|"));
  }
  EXPECT_TRUE(send_planted_image(daemon_)) << daemon_.log();
  EXPECT_THAT(daemon_.ask({"studies"}).out, HasSubstr("Quillfeather")) << "it did pass through";
  EXPECT_TRUE(holds_within(30, [&] {
    const auto so_far = events(central_);
    const auto count = [&](const char* what) {
      return std::ranges::count_if(so_far, [&](const auto& one) { return one.starts_with(what); });
    };
    return count("raised uplink/his warning") == 1 &&
           count("raised certificate/uplink.his.ca_file warning") == 1;
  })) << central_.text();
  const auto health = central_.heard("health").size();
  EXPECT_TRUE(holds_within(20, [&] { return central_.heard("health").size() > health + 1; }));
  EXPECT_EQ(daemon_.stop(), 0);

  std::set<std::string> topics;
  for (const auto& heard : central_.heard()) {
    topics.insert(heard.topic);
    EXPECT_EQ(schema_violation(schema_of(heard.topic), heard.json), "") << heard.text;
  }
  EXPECT_THAT(topics,
              IsSupersetOf({"status", "health", "metrics", "inventory", "audit", "events"}));
  for (const char* planted : kPlanted) EXPECT_THAT(central_.text(), Not(HasSubstr(planted)));
  const Json inventory = central_.heard("inventory").back().json;
  EXPECT_THAT(inventory["devices"].dump(), HasSubstr(R"({"name":"lab","protocol":"hl7"})"));
  EXPECT_EQ(inventory["key_protection"].text(), "passphrase");
  EXPECT_THAT(inventory["certificates"].dump(), HasSubstr(R"("days_left":)"));
}

TEST_F(CentralTest, LosesNoEventWithoutALinkNorByAKill) {
  daemon_.configure(central_.table());
  {
    const PortHolder held(daemon_.dicom_port());
    daemon_.start();
    ASSERT_TRUE(holds_within(30, [&] {
      return daemon_.status()["mqtt"]["waiting"].integer().value_or(0) >= 1;
    })) << daemon_.log();
    daemon_.kill_hard();
  }
  ASSERT_TRUE(central_.open());
  daemon_.start();
  const auto last_is_cleared = [&] {
    const auto so_far = events(central_);
    return !so_far.empty() && so_far.back().starts_with("cleared part/dicom");
  };
  ASSERT_TRUE(holds_within(30, last_is_cleared)) << central_.text() << daemon_.log();
  EXPECT_EQ(events(central_).front(), "raised part/dicom warning historical");
  EXPECT_EQ(events(central_).size(), 2U) << central_.text();
  EXPECT_TRUE(holds_within(20, [&] { return daemon_.status()["mqtt"]["waiting"].integer() == 0; }));
}

}  // namespace
}  // namespace gateway::daemon
