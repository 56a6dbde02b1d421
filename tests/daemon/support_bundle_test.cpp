// What the support bundle tells of a gateway through which fifty strings of patients passed, and
// that it tells none of them; nor a secret of the configuration.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "core/text.h"
#include "daemon/ops/config_outline.h"
#include "daemon/settings.h"
#include "daemon_process.h"
#include "mllp_device.h"
#include "tests/at_rest/planted.h"
#include "tests/fakes/tls_server.h"

namespace gateway::daemon {
namespace {

namespace fs = std::filesystem;
using at_rest::kPersons;
using at_rest::Person;
using core::cat;
using core::Json;
using testing::Contains;
using testing::HasSubstr;
using testing::Key;
using testing::Not;

/// All but the last, which is bytes and no text.
std::string planted_text() {
  std::string text;
  const auto& all = at_rest::planted();
  for (auto one = all.begin(); one + 1 != all.end(); ++one) text += cat(*one, "; ");
  return text;
}

/// A hospital that takes nothing, and quotes patients when it says why.
void refuse_all(fakes::ServedConnection& connection) {
  while (const auto request = connection.read_request()) {
    const bool asks = request->head.starts_with("GET");
    Json issues = Json::array();
    issues.add(Json::object(
        {{"severity", "error"}, {"code", "processing"}, {"diagnostics", planted_text()}}));
    const Json body =
        asks ? Json::object({{"resourceType", "CapabilityStatement"}, {"fhirVersion", "4.0.1"}})
             : Json::object({{"resourceType", "OperationOutcome"}, {"issue", issues}});
    const std::string text = body.dump();
    connection.write(cat("HTTP/1.1 ", asks ? "200 OK" : "422 Unprocessable Entity",
                         "\r\nContent-Type: application/fhir+json\r\nContent-Length: ", text.size(),
                         "\r\n\r\n", text));
  }
}

std::string result_of(const Person& person, int number) {
  std::string born(person.birth_date);
  std::erase(born, '-');
  return cat("MSH|^~\\&|", person.family, "|", person.given,
             "|GW|CLINIC|20260301101500+0100||ORU^R01^ORU_R01|", number,
             "|P|2.5.1|||||||UNICODE UTF-8\rPID|1||", person.id, "||", person.family, '^',
             person.given, "||", born, "|F\rOBR|1|", person.accession,
             "|FI1|2345-7^Glucose^LN|||20260301090000+0100\rOBX|1|NM|2345-7^", person.family,
             "^LN||5.0|mg/dL|70-110|N|||F\r");
}

bool send_image(const DaemonProcess& daemon, const Person& person, int number) {
  const std::string dump = daemon.folder() + "/image.dump";
  const std::string file = daemon.folder() + "/image.dcm";
  const auto uid = [&](int part) { return cat(at_rest::kUidRoot, number, '.', part); };
  std::string notes;
  for (const std::string_view note : at_rest::kNotes) notes += cat(note, ' ');
  for (const std::string_view run : at_rest::kPixelRuns) notes += cat(run, ' ');
  std::string born(person.birth_date);
  std::erase(born, '-');
  std::ofstream(dump) << "(0008,0005) CS [ISO_IR 192]\n"
                      << "(0008,0016) UI 1.2.840.10008.5.1.4.1.1.7\n(0008,0018) UI " << uid(1)
                      << "\n(0008,0050) SH [" << person.accession.substr(0, 16) << "]\n"
                      << "(0008,0080) LO [" << at_rest::kCallingTitle << "]\n"
                      << "(0010,0010) PN [" << at_rest::dicom_name(person) << "]\n(0010,0020) LO ["
                      << person.id << "]\n(0010,0030) DA [" << born << "]\n(0010,4000) LT ["
                      << notes << "]\n(0020,000d) UI " << uid(2) << "\n(0020,000e) UI " << uid(3)
                      << "\n";
  return run_command({"dump2dcm", "+te", dump, file}).exit_code == 0 &&
         run_command({"storescu", "-aec", "CLINICGW", "127.0.0.1",
                      std::to_string(daemon.dicom_port()), file})
                 .exit_code == 0;
}

std::string content_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class SupportBundleTest : public testing::Test {
 protected:
  /// The files of the bundle by their names.
  std::map<std::string, std::string> bundle() {
    const std::string file = daemon_.folder() + "/bundle.tar.gz";
    const std::string folder = daemon_.folder() + "/unpacked";
    fs::remove_all(folder);
    fs::create_directory(folder);
    const Finished made =
        daemon_.ask({"support-bundle", "--to", file, "--config", daemon_.config_file()});
    EXPECT_EQ(made.exit_code, 0) << made.err;
    EXPECT_EQ(run_command({"tar", "-xzf", file, "-C", folder}).exit_code, 0);
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::directory_iterator(folder))
      files[entry.path().filename()] = content_of(entry.path());
    return files;
  }

  DaemonProcess daemon_;
};

TEST_F(SupportBundleTest, TellsHowAGatewayStandsAndNothingOfThePatientsWhoPassedThroughIt) {
  const std::uint16_t device = free_port();
  const fakes::TlsServer hospital({}, refuse_all);
  daemon_.write_passphrase(std::string(at_rest::kPassphrase));
  daemon_.configure(cat("[log]\nlevel = \"debug\"\n[imaging]\nstudy_quiet_s = 1\n",
                        "[device.lab]\nprotocol = \"hl7\"\nbind = \"127.0.0.1\"\nport = ", device,
                        "\npatient_id_issuer = \"urn:oid:2.25.1\"\n[uplink.his]\nkind = \"fhir\"\n",
                        "pull = []\nusername = \"a-user-nobody-sees\"\npassword_file = \"",
                        daemon_.folder(),
                        "/passphrase\"\nurl = \"http://127.0.0.1:", hospital.port(), "/fhir\"\n"));
  daemon_.start();
  ASSERT_TRUE(daemon_.reaches("ready")) << daemon_.log();
  {
    const MllpDevice analyzer(device);
    int number = 0;
    for (const Person& person : kPersons) {
      EXPECT_THAT(analyzer.send(result_of(person, ++number)), HasSubstr("MSA|AA|"));
      EXPECT_TRUE(send_image(daemon_, person, number)) << daemon_.log();
    }
    EXPECT_THAT(analyzer.send(planted_text()), HasSubstr("MSA|AR|"));
  }
  ASSERT_TRUE(holds_within(
      60, [&] { return daemon_.status()["queue"]["parked"].integer().value_or(0) > 0; }))
      << daemon_.status().dump() << daemon_.log();
  EXPECT_NE(at_rest::find_planted(daemon_.ask({"queue"}).out), "") << "the hospital quoted some";
  EXPECT_NE(at_rest::find_planted(daemon_.ask({"studies"}).out), "") << "and they are held";

  const auto files = bundle();
  for (const char* name :
       {"manifest.json", "health.json", "inventory.json", "metrics.txt", "queue.json",
        "doctor.json", "certificates.json", "config.json", "log.jsonl"})
    EXPECT_THAT(files, Contains(Key(name)));
  EXPECT_EQ(at_rest::find_planted(files), "");
  EXPECT_GE(at_rest::planted().size(), 50U);
  for (const auto& [name, content] : files)
    EXPECT_THAT(content, Not(HasSubstr("a-user-nobody-sees"))) << name;
  EXPECT_THAT(files.at("queue.json"), HasSubstr("\"why\":\"HTTP 422 (processing)\""));
  EXPECT_THAT(files.at("config.json"), HasSubstr(R"({"key":"uplink.his.username","shown":false})"));
  EXPECT_THAT(files.at("config.json"),
              HasSubstr(R"({"key":"log.level","shown":true,"value":"debug"})"));
  EXPECT_THAT(files.at("log.jsonl"), HasSubstr(R"("file":"adapters/hl7/)"));
  EXPECT_THAT(files.at("manifest.json"), HasSubstr(R"("daemon_runs":true)"));
  EXPECT_EQ(at_rest::find_planted(daemon_.log()), "") << "nor does the log";
}

TEST_F(SupportBundleTest, IsMadeAlsoWhereTheGatewayIsLockedOrDoesNotRun) {
  fs::remove(daemon_.folder() + "/passphrase");
  daemon_.start();
  ASSERT_TRUE(daemon_.reaches("locked")) << daemon_.log();
  EXPECT_EQ(bundle().at("queue.json"), "null");
  EXPECT_EQ(daemon_.stop(), 0);
  const auto files = bundle();
  EXPECT_THAT(files.at("manifest.json"), HasSubstr(R"("daemon_runs":false)"));
  EXPECT_THAT(files.at("doctor.json"), HasSubstr(R"("check":"clock")"));
  EXPECT_THAT(files, Not(Contains(Key("health.json"))));
}

TEST(ConfigOutline, NamesEveryKeyThatIsSetAndShowsNoSecret) {
  const auto keys = all_config_keys();
  const auto config = core::Config::parse(R"(
[site]
name = "clinic-1"
[mqtt]
host = "broker"
username = "hunter2"
port = 1883
[uplink.his]
kind = "fhir"
url = "https://user:hunter2@his"
[uplink.pacs]
kind = "stow"
url = "https://pacs/hunter2"
[metrics]
token_sha256 = "hunter2"
)",
                                          "test", keys);
  ASSERT_TRUE(config.ok()) << config.error().message();
  const std::string outline = config_outline(*config, keys).dump();
  EXPECT_THAT(outline, Not(HasSubstr("hunter2")));
  for (const char* key :
       {"mqtt.username", "uplink.his.url", "uplink.pacs.url", "metrics.token_sha256", "mqtt.host"})
    EXPECT_THAT(outline, HasSubstr(cat(R"({"key":")", key, R"(","shown":false})")));
  EXPECT_THAT(outline, HasSubstr(R"({"key":"mqtt.port","shown":true,"value":1883})"));
  EXPECT_THAT(outline, HasSubstr(R"({"key":"uplink.pacs.kind","shown":true,"value":"stow"})"));
}

}  // namespace
}  // namespace gateway::daemon
