// What central operations hear of the real daemon over a real broker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sparkplug_b.pb.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <set>
#include <sstream>

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

/// The sessions of an edge node as a Sparkplug host sees them.
class SparkplugTest : public CentralTest {
 protected:
  struct Heard {
    std::string type;  // NBIRTH, ...
    std::string how;   // "retained QoS"
    std::string bytes;
    sparkplug::Payload payload;
  };
  void SetUp() override {
    CentralTest::SetUp();
    daemon_.configure(
        cat(central_.table(), "encoding = \"sparkplug-b\"\nsparkplug_group = \"clinics\"\n"));
  }
  void open() {
    ASSERT_TRUE(central_.open());
    host_ = std::make_unique<BackgroundProcess>(
        std::vector<std::string>{"sh", "-c",
                                 cat("exec stdbuf -oL mosquitto_sub -p ", central_.port(),
                                     " -t ready -t 'spBv1.0/#' -q 1 -F '%r %q %t %x' > ", file())});
    ASSERT_TRUE(holds_within(20, [this] { return text().find(" ready ") != std::string::npos; }));
  }
  std::string file() const { return daemon_.folder() + "/sparkplug"; }
  std::string text() const {
    std::ifstream in(file());
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::vector<Heard> heard(const std::string& type = "") const {
    std::vector<Heard> list;
    std::ifstream in(file());
    // A line that is still being written has no end.
    for (std::string line; std::getline(in, line) && !in.eof();) {
      std::string retained;
      std::string qos;
      std::string topic;
      std::string hex;
      std::istringstream(line) >> retained >> qos >> topic >> hex;
      if (!topic.starts_with("spBv1.0/clinics/") || !topic.ends_with("/clinic-1")) continue;
      Heard one{topic.substr(16, topic.size() - 16 - 9), cat(retained, ' ', qos), {}, {}};
      for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        one.bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
      if (one.type == "NCMD") continue;  // what hosts say, which may be anything
      EXPECT_TRUE(one.payload.ParseFromString(one.bytes)) << hex;
      if (type.empty() || one.type == type) list.push_back(std::move(one));
    }
    return list;
  }
  bool hears(const std::string& type, std::size_t count) const {
    return holds_within(30, [&] { return heard(type).size() >= count; });
  }
  /// Nothing is new any more: NDATA after NDATA.
  bool settles() const {
    return holds_within(30, [this] {
      const auto all = heard();
      return all.size() > 3 && std::all_of(all.end() - 3, all.end(),
                                           [](const Heard& one) { return one.type == "NDATA"; });
    });
  }
  static const sparkplug::Metric& metric(const Heard& one, const std::string& name) {
    static const sparkplug::Metric none;
    for (const sparkplug::Metric& found : one.payload.metrics())
      if (found.name() == name) return found;
    return none;
  }
  void command(const std::string& payload) const {
    std::ofstream(daemon_.folder() + "/ncmd", std::ios::binary) << payload;
    EXPECT_EQ(run_command({"mosquitto_pub", "-p", central_.port(), "-q", "1", "-t",
                           "spBv1.0/clinics/NCMD/clinic-1", "-f", daemon_.folder() + "/ncmd"})
                  .exit_code,
              0);
  }

  std::unique_ptr<BackgroundProcess> host_;
};

TEST_F(SparkplugTest, AHostHearsAllAtBirthThenWhatChangesAndOfNoPatient) {
  const std::uint16_t device = free_port();
  daemon_.configure(cat("[device.lab]\nprotocol = \"hl7\"\nbind = \"127.0.0.1\"\nport = ", device,
                        "\npatient_id_issuer = \"urn:oid:2.25.1\"\n"));
  open();
  run_command({"mosquitto_pub", "-p", central_.port(), "-r", "-t",
               "clinic-gateway/v1/clinic-1/status", "-m", R"({"state":"ready"})"});
  daemon_.start();
  ASSERT_TRUE(daemon_.reaches("ready")) << daemon_.log();
  EXPECT_THAT(MllpDevice(device).send(planted_oru("1", "PLANT-4711")), HasSubstr("MSA|AA|1"));
  EXPECT_TRUE(send_planted_image(daemon_)) << daemon_.log();
  const auto tells = [&](const char* name, const std::string& value) {
    return holds_within(30, [&] {
      const auto all = heard();
      return std::ranges::any_of(
          all, [&](const Heard& one) { return metric(one, name).string_value() == value; });
    });
  };
  EXPECT_TRUE(tells("health/state", "ready")) << daemon_.log();
  EXPECT_TRUE(hears("NDATA", 3));
  EXPECT_EQ(daemon_.stop(), 0);
  EXPECT_TRUE(hears("NDEATH", 1));

  std::set<std::string> born;
  std::uint64_t seq = 0;
  for (const Heard& one : heard()) {
    for (const char* planted : kPlanted) EXPECT_THAT(one.bytes, Not(HasSubstr(planted)));
    if (one.type == "NDEATH") continue;
    EXPECT_EQ(one.how, "0 0");
    ASSERT_GT(one.payload.timestamp(), 0U);
    seq = one.type == "NBIRTH" ? 0 : (seq + 1) % 256;
    EXPECT_EQ(one.payload.seq(), seq);
    if (one.type == "NBIRTH") born.clear();
    for (const sparkplug::Metric& told : one.payload.metrics()) {
      EXPECT_TRUE(one.type == "NBIRTH" ? born.insert(told.name()).second
                                       : born.contains(told.name()))
          << told.name();
    }
  }
  EXPECT_THAT(born,
              IsSupersetOf({"bdSeq", "Node Control/Rebirth", "health/uptime_s",
                            "health/dicom/counts/stored", "metrics/clinic_gateway_problems"}));
  EXPECT_EQ(heard().front().type, "NBIRTH");
  EXPECT_EQ(heard().back().type, "NDEATH");
  EXPECT_EQ(heard().back().how, "0 1");
  EXPECT_TRUE(holds_within(20, [&] {
    const auto json = central_.heard("status");
    return !json.empty() && json.back().text.empty();
  })) << "what JSON had left at the broker";
  EXPECT_TRUE(central_.heard("health").empty() || central_.heard("health").back().text.empty());
  EXPECT_EQ(run_command({"mosquitto_sub", "-p", central_.port(), "-t", "spBv1.0/#", "-W", "1"}).out,
            "")
      << "nothing is kept there";
  EXPECT_FALSE(central_.heard("inventory").empty()) << "stays JSON";
}

TEST_F(SparkplugTest, AHostMayAskForABirthAndForNothingElse) {
  open();
  daemon_.start();
  ASSERT_TRUE(daemon_.reaches("ready")) << daemon_.log();
  for (const std::string& bad : {std::string("Quillfeather, Ondine"), std::string(20'000, '\x0b'),
                                 std::string("\x12\xff\xff\xff\xff\x0f\x0a")})
    command(bad);
  ASSERT_TRUE(settles()) << daemon_.log();
  const auto births = heard("NBIRTH").size();
  EXPECT_THAT(daemon_.log(), HasSubstr("what came on spBv1.0/clinics/NCMD/clinic-1 was ignored"));
  EXPECT_THAT(daemon_.log(), Not(HasSubstr("Quillfeather")));

  sparkplug::Payload rebirth;
  rebirth.add_metrics()->set_name("Node Control/Rebirth");
  rebirth.mutable_metrics(0)->set_boolean_value(true);
  command(rebirth.SerializeAsString());
  ASSERT_TRUE(hears("NBIRTH", births + 1)) << daemon_.log();
  EXPECT_EQ(heard("NBIRTH").back().payload.seq(), 0U);
  EXPECT_EQ(metric(heard("NBIRTH").back(), "bdSeq").long_value(),
            metric(heard("NBIRTH").front(), "bdSeq").long_value());
}

TEST_F(SparkplugTest, AKilledGatewayIsToldDeadByTheBroker) {
  open();
  daemon_.start();
  ASSERT_TRUE(hears("NBIRTH", 1)) << daemon_.log();
  daemon_.kill_hard();
  ASSERT_TRUE(hears("NDEATH", 1));
  const Heard death = heard("NDEATH").back();
  EXPECT_EQ(death.how, "0 1");
  EXPECT_FALSE(death.payload.has_seq());
  ASSERT_EQ(death.payload.metrics_size(), 1);
  EXPECT_EQ(metric(death, "bdSeq").long_value(),
            metric(heard("NBIRTH").back(), "bdSeq").long_value());
  const auto births = heard("NBIRTH").size();
  daemon_.start();
  EXPECT_TRUE(hears("NBIRTH", births + 1)) << daemon_.log();
}

}  // namespace
}  // namespace gateway::daemon
