// Commands of central operations to the real daemon over a real broker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <memory>
#include <set>

#include "central_listener.h"
#include "core/base64.h"
#include "core/files.h"
#include "core/text.h"
#include "json_schema.h"
#include "port_holder.h"

namespace gateway::daemon {
namespace {

using core::cat;
using core::Json;
using testing::HasSubstr;
using testing::Not;

Json schema_of(const std::string& name) {
  const auto text = core::read_whole_file(
      core::system_files(), cat(GATEWAY_SOURCE_DIR "/docs/mqtt/", name, ".schema.json"), 1U << 20);
  auto json = Json::parse(text.ok() ? *text : "");
  return json.ok() ? std::move(*json) : Json();
}

struct Signed {
  std::string id;
  std::string envelope;
};

class CommandsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!CentralListener::installed()) GTEST_SKIP() << "no mosquitto here";
    run_command({"openssl", "genpkey", "-algorithm", "ed25519", "-out", key()});
    run_command({"openssl", "pkey", "-in", key(), "-pubout", "-out", key() + ".pub"});
    daemon_.configure(central_.table());
  }
  std::string key() const { return daemon_.folder() + "/command.pem"; }
  void allow(const std::string& kinds) {
    daemon_.configure(cat("[commands]\nallowed = [", kinds, "]\n[commands.key.central]\n",
                          "public_key_file = \"", key(), ".pub\"\n"));
  }
  void start() {
    ASSERT_TRUE(central_.open());
    daemon_.start();
    ASSERT_TRUE(daemon_.reaches("ready")) << daemon_.log();
    ASSERT_TRUE(connected()) << daemon_.log();
  }
  bool connected() {
    return holds_within(60, [this] { return daemon_.status()["mqtt"]["connected"].boolean(); });
  }
  Signed sign(std::vector<std::string> wanted, const std::string& gateway = "clinic-1") const {
    std::vector<std::string> words{"commands", "sign"};
    words.insert(words.end(), wanted.begin(), wanted.end());
    for (const char* word : {"--key-name", "central", "--gateway"}) words.emplace_back(word);
    words.push_back(gateway);
    words.insert(words.end(), {"--key", key()});
    const auto made = daemon_.ask(words);
    const auto json = Json::parse(made.out);
    EXPECT_EQ(made.exit_code, 0) << made.err;
    if (!json.ok()) return {};
    return {std::string((*json)["id"].text()), std::string((*json)["envelope"].text())};
  }
  void publish(const std::string& envelope) const {
    EXPECT_EQ(run_command({"mosquitto_pub", "-p", central_.port(), "-q", "1", "-t",
                           "clinic-gateway/v1/clinic-1/command", "-m", envelope})
                  .exit_code,
              0);
  }
  Signed send(std::vector<std::string> wanted) const {
    Signed command = sign(std::move(wanted));
    publish(command.envelope);
    return command;
  }
  /// The states that were told, in order.
  std::vector<std::string> states(const std::string& id) const {
    std::vector<std::string> list;
    for (const auto& heard : central_.heard("command/" + id))
      list.emplace_back(heard.json["state"].text());
    return list;
  }
  bool ends(const std::string& id, const std::string& state = "done") const {
    return holds_within(60, [&] { return !states(id).empty() && states(id).back() == state; });
  }
  Json last(const std::string& id) const {
    const auto heard = central_.heard("command/" + id);
    return heard.empty() ? Json() : heard.back().json;
  }
  std::vector<std::string> refusals() const {
    std::vector<std::string> list;
    for (const auto& heard : central_.heard("command/refused"))
      list.push_back(cat(heard.json["code"].text(), ": ", heard.json["reason"].text()));
    return list;
  }
  void expect_refused(const std::string& envelope, const std::string& why) {
    const auto before = refusals().size();
    publish(envelope);
    ASSERT_TRUE(holds_within(20, [&] { return refusals().size() > before; })) << why;
    EXPECT_THAT(refusals().back(), HasSubstr(why));
  }

  CentralListener central_;
  DaemonProcess daemon_;
};

TEST_F(CommandsTest, EachKindIsCarriedOutStepByStepAndAudited) {
  daemon_.configure(
      cat("[uplink.his]\nkind = \"fhir\"\nurl = \"http://127.0.0.1:", free_port(), "/fhir\"\n"));
  allow(
      R"("approve-device", "collect-diagnostics", "log-level", "pause-uplink", "probe", "reload", "resend", )"
      R"("resume-uplink", )"
      R"("rotate-keys", "send-diagnostics", "sync-now")");
  start();
  const std::vector<std::vector<std::string>> all{{"sync-now"},
                                                  {"pause-uplink", "uplink=his"},
                                                  {"resume-uplink"},
                                                  {"resend"},
                                                  {"probe"},
                                                  {"reload"},
                                                  {"collect-diagnostics"},
                                                  {"send-diagnostics"},
                                                  {"log-level", "level=debug", "minutes=5"},
                                                  {"rotate-keys", "what=epoch"}};
  for (const auto& wanted : all) {
    const Signed command = send(wanted);
    EXPECT_TRUE(ends(command.id)) << wanted[0] << central_.text() << daemon_.log();
    EXPECT_THAT(last(command.id)["key"].text(), "central");
    EXPECT_TRUE(last(command.id)["result"].is_object()) << last(command.id).dump();
  }
  const Signed failing = send({"pause-uplink", "uplink=pacs"});
  EXPECT_TRUE(ends(failing.id, "failed"));
  EXPECT_THAT(last(failing.id)["reason"].text(), HasSubstr("there is no uplink \"pacs\""));
  const Signed unknown = send({"approve-device", "ae_title=1234"});
  EXPECT_TRUE(ends(unknown.id, "failed"));
  EXPECT_THAT(last(unknown.id)["reason"].text(), HasSubstr("no caller \"1234\" was recorded"));
  const Json schema = schema_of("command-state");
  for (const auto& heard : central_.heard()) {
    if (!heard.topic.starts_with("command/")) continue;
    EXPECT_EQ(schema_violation(schema, heard.json), "") << heard.text;
  }
  const auto trail = daemon_.ask({"audit", "export", "--actor", "central:central"}).out;
  for (const char* act : {"command", "pause", "resume", "retry", "probe", "reload", "rotate"})
    EXPECT_THAT(trail, HasSubstr(cat('"', act, '"')));
}

TEST_F(CommandsTest, CollectedDiagnosticsStayOnTheGatewayAndCentralHearsTheirDigest) {
  allow(R"("collect-diagnostics")");
  start();
  const Signed command = send({"collect-diagnostics"});
  ASSERT_TRUE(ends(command.id)) << central_.text() << daemon_.log();
  const Json result = last(command.id)["result"];
  const std::string file = daemon_.state_folder() + "/support-bundle.tar.gz";
  EXPECT_EQ(result["file"].text(), file);
  EXPECT_THAT(run_command({"sha256sum", file}).out,
              HasSubstr(std::string(result["sha256"].text())));
  EXPECT_THAT(run_command({"stat", "-c", "%s", file}).out,
              HasSubstr(result["bytes"].number_text()));
  EXPECT_TRUE(result["archive"].is_null());
}

TEST_F(CommandsTest, SentDiagnosticsWaitForTheBrokerAcrossAKillAndArriveWhole) {
  const std::uint16_t his = free_port();
  daemon_.configure(
      cat("[uplink.his]\nkind = \"fhir\"\npull = []\nurl = \"http://127.0.0.1:", his, "/fhir\"\n"));
  allow(R"("send-diagnostics")");
  auto silent = std::make_unique<PortHolder>(his);
  start();
  const Signed command = send({"send-diagnostics"});
  ASSERT_TRUE(ends(command.id, "running")) << central_.text() << daemon_.log();
  central_.close();
  silent.reset();
  ASSERT_TRUE(holds_within(60, [&] {
    return daemon_.log().find(cat("command send-diagnostics ", command.id,
                                  " of central: success")) != std::string::npos;
  })) << daemon_.log();
  daemon_.kill_hard();
  EXPECT_TRUE(central_.heard("diagnostics").empty());
  ASSERT_TRUE(central_.open());
  daemon_.start();
  ASSERT_TRUE(ends(command.id)) << central_.text() << daemon_.log();
  const Json result = last(command.id)["result"];
  ASSERT_TRUE(holds_within(60, [&] {
    std::set<std::int64_t> numbers;
    for (const auto& heard : central_.heard("diagnostics"))
      numbers.insert(heard.json["chunk"].integer().value_or(0));
    return static_cast<std::int64_t>(numbers.size()) == result["chunks"].integer();
  })) << daemon_.log();
  std::map<std::int64_t, std::string> chunks;
  const Json schema = schema_of("diagnostics");
  for (const auto& heard : central_.heard("diagnostics")) {
    EXPECT_EQ(schema_violation(schema, heard.json), "") << heard.text;
    EXPECT_EQ(heard.json["sha256"], result["sha256"]);
    EXPECT_EQ(heard.json["chunks"], result["chunks"]);
    chunks[heard.json["chunk"].integer().value_or(0)] =
        core::from_base64(heard.json["data"].text()).value_or("");
  }
  EXPECT_EQ(static_cast<std::int64_t>(chunks.size()), result["chunks"].integer());
  const std::string file = daemon_.folder() + "/arrived.tar.gz";
  std::ofstream out(file, std::ios::binary);
  for (const auto& [number, bytes] : chunks) out << bytes;
  out.close();
  EXPECT_THAT(run_command({"sha256sum", file}).out,
              HasSubstr(std::string(result["sha256"].text())));
  EXPECT_EQ(run_command({"cmp", file, std::string(result["file"].text())}).exit_code, 0)
      << "the site can see what was sent";
  EXPECT_THAT(run_command({"tar", "-tzf", file}).out, HasSubstr("manifest.json"));
}

TEST_F(CommandsTest, WhatIsNotForThisGatewayOrNotAllowedIsRefusedWithAReason) {
  allow(R"("resend")");
  start();
  const Signed done = send({"resend"});
  ASSERT_TRUE(ends(done.id)) << central_.text() << daemon_.log();
  expect_refused(sign({"sync-now"}).envelope, "refused: commands.allowed");
  expect_refused(sign({"send-diagnostics"}).envelope, "refused: commands.allowed");
  expect_refused(sign({"resend"}, "clinic-2").envelope, "refused: it is for another gateway");
  expect_refused("Quillfeather, Ondine", "invalid");
  Json forged = *Json::parse(sign({"resend"}).envelope);
  forged.set("payload", (*Json::parse(sign({"sync-now"}).envelope))["payload"]);
  expect_refused(forged.dump(), "untrusted");
  const Json schema = schema_of("command-refused");
  for (const auto& heard : central_.heard("command/refused"))
    EXPECT_EQ(schema_violation(schema, heard.json), "") << heard.text;
  EXPECT_THAT(daemon_.log(), Not(HasSubstr("Quillfeather")));
  EXPECT_THAT(daemon_.ask({"audit", "export", "--actor", "central"}).out, HasSubstr("refused"));
}

TEST_F(CommandsTest, ARepeatedCommandIsToldAgainAndNotDoneAgainAlsoAfterARestart) {
  allow(R"("resend")");
  start();
  const Signed command = send({"resend"});
  ASSERT_TRUE(ends(command.id)) << central_.text() << daemon_.log();
  const auto told = states(command.id).size();
  publish(command.envelope);
  EXPECT_TRUE(holds_within(20, [&] { return states(command.id).size() > told; }));
  daemon_.kill_hard();
  daemon_.start();
  ASSERT_TRUE(daemon_.reaches("ready")) << daemon_.log();
  ASSERT_TRUE(connected());
  const auto before = states(command.id).size();
  publish(command.envelope);
  EXPECT_TRUE(holds_within(20, [&] { return states(command.id).size() > before; }));
  EXPECT_EQ(states(command.id).back(), "done");
  const auto trail = daemon_.ask({"audit", "export", "--actor", "central:central"}).out;
  const auto first = trail.find("\"retry\"");
  ASSERT_NE(first, trail.npos);
  EXPECT_EQ(trail.find("\"retry\"", first + 1), trail.npos) << trail;
}

TEST_F(CommandsTest, TheAnswerComesAlsoWhereTheBrokerWasAwayWhileTheCommandRan) {
  const std::uint16_t his = free_port();
  daemon_.configure(
      cat("[uplink.his]\nkind = \"fhir\"\npull = []\nurl = \"http://127.0.0.1:", his, "/fhir\"\n"));
  allow(R"("probe")");
  auto silent = std::make_unique<PortHolder>(his);
  start();
  const Signed command = send({"probe"});
  ASSERT_TRUE(ends(command.id, "running")) << central_.text() << daemon_.log();
  central_.close();
  ASSERT_TRUE(
      holds_within(60, [this] { return !daemon_.status()["mqtt"]["connected"].boolean(); }));
  silent.reset();
  ASSERT_TRUE(holds_within(60, [&] {
    return daemon_.log().find(cat("command probe ", command.id, " of central: success")) !=
           std::string::npos;
  })) << daemon_.log();
  ASSERT_TRUE(central_.open());
  EXPECT_TRUE(ends(command.id)) << central_.text() << daemon_.log();
  EXPECT_FALSE(last(command.id)["result"]["uplinks"][std::size_t{0}]["answered"].boolean());
}

TEST_F(CommandsTest, WithoutAnAllowedKindNothingIsListenedFor) {
  allow("");
  start();
  const Signed command = send({"sync-now"});
  const auto health = central_.heard("health").size();
  EXPECT_TRUE(holds_within(20, [&] { return central_.heard("health").size() > health + 2; }));
  EXPECT_TRUE(states(command.id).empty());
  EXPECT_TRUE(refusals().empty());
}

}  // namespace
}  // namespace gateway::daemon
