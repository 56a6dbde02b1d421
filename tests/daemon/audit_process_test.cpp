// `clinic-gateway audit` against the daemon as it ships, and its checkpoints at a real broker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/text.h"
#include "json_schema.h"
#include "stopped_state.h"
#include "tests/fakes/mosquitto_broker.h"

namespace gateway::daemon {
namespace {

using core::Json;
using testing::HasSubstr;

Json parse(const std::string& text) {
  auto json = Json::parse(text);
  return json.ok() ? std::move(*json) : Json();
}

std::vector<Json> lines_of(const std::string& text) {
  std::vector<Json> events;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) events.push_back(parse(line));
  return events;
}

class AuditProcess : public testing::Test {
 protected:
  void start() {
    daemon_.start();
    ASSERT_TRUE(daemon_.reaches("ready")) << daemon_.log();
  }
  void append(const std::string& action, const std::string& patient, int count = 1) {
    const auto held = open_stopped(daemon_);
    ASSERT_NE(held, nullptr);
    const auto done = held->database().write([&](crypto::Connection& connection) -> core::Status {
      for (int i = 0; i < count; ++i) {
        GW_CHECK(held->audit().append(connection, {.at = core::system_clock().wall(),
                                                   .actor = "user:nurse",
                                                   .action = action,
                                                   .resource = core::cat("Observation/o", i),
                                                   .patient = patient,
                                                   .source = "10.1.2.3",
                                                   .outcome = "success"}));
      }
      return {};
    });
    ASSERT_TRUE(done.ok()) << done.error().message();
  }
  std::string checkpoint_file(const std::string& text) const {
    std::string path = daemon_.folder() + "/checkpoint.json";
    std::ofstream(path) << text;
    return path;
  }
  Finished verify_with(const std::string& checkpoint) const {
    return daemon_.ask({"audit", "verify", "--checkpoint", checkpoint_file(checkpoint)});
  }

  DaemonProcess daemon_;
};

TEST_F(AuditProcess, TheChainIsReadToItsEndAndExportedByPatient) {
  start();
  ASSERT_EQ(daemon_.stop(), 0);
  append("read", "Patient/p1", 700);  // more than one page
  append("update", "Patient/p2");
  start();
  const Finished verified = daemon_.ask({"audit", "verify"});
  ASSERT_EQ(verified.exit_code, 0) << verified.err;
  EXPECT_GE(*parse(verified.out)["rows"].integer(), 702);

  const Finished exported = daemon_.ask({"audit", "export", "--patient", "Patient/p1"});
  ASSERT_EQ(exported.exit_code, 0) << exported.err;
  const auto events = lines_of(exported.out);
  ASSERT_EQ(events.size(), 700u);
  EXPECT_EQ(events[0]["resourceType"].text(), "AuditEvent");
  EXPECT_EQ(events[699]["entity"][std::size_t{0}]["what"]["reference"].text(), "Patient/p1");
  EXPECT_EQ(lines_of(daemon_.ask({"audit", "export", "--patient", "Patient/p2"}).out).size(), 1u);
  EXPECT_EQ(daemon_.ask({"audit", "export", "--since", "2999-01-01T00:00:00Z"}).out, "");
  EXPECT_EQ(lines_of(daemon_.ask({"audit", "export", "--actor", "user:nurse"}).out).size(), 701u);
}

TEST_F(AuditProcess, AnExportsMomentsAreOfAnyZoneAndNeverGuessed) {
  start();
  ASSERT_EQ(daemon_.stop(), 0);
  append("read", "Patient/p1");
  start();
  const auto rows = [&](const char* option, const std::string& moment) {
    return lines_of(daemon_.ask({"audit", "export", "--patient", "Patient/p1", option, moment}).out)
        .size();
  };
  const core::Wall now = core::system_clock().wall();
  const std::string today = core::to_instant(now).substr(0, 10);
  EXPECT_EQ(rows("--since", today), 1u);
  EXPECT_EQ(rows("--until", today), 0u);
  // An hour ago, as a clock two hours ahead of UTC shows it.
  std::string ahead = core::to_instant(now + std::chrono::hours(1));
  ahead.replace(ahead.size() - 1, 1, "+02:00");
  EXPECT_EQ(rows("--since", ahead), 1u);
  EXPECT_EQ(rows("--until", ahead), 0u);
  for (const char* wrong :
       {"garbage", "2026-13-45T99:99:99Z", "2026-13-45", "2026-11-22T20:00:00"}) {
    const Finished refused = daemon_.ask({"audit", "export", "--since", wrong});
    EXPECT_EQ(refused.exit_code, 2) << wrong;
    EXPECT_THAT(refused.err, HasSubstr("is no moment")) << wrong;
    EXPECT_EQ(daemon_.ask({"audit", "export", "--until", wrong}).exit_code, 2) << wrong;
  }
}

TEST_F(AuditProcess, ACheckpointTellsAnOlderDatabaseThatWasPutBack) {
  start();
  ASSERT_EQ(daemon_.stop(), 0);
  const std::string database = daemon_.state_folder() + "/gateway.db";
  std::filesystem::copy_file(database, daemon_.folder() + "/older.db");
  append("read", "Patient/p1");
  start();
  const Finished taken = daemon_.ask({"audit", "checkpoint"});
  ASSERT_EQ(taken.exit_code, 0) << taken.err;
  const Finished fits = verify_with(taken.out);
  EXPECT_EQ(fits.exit_code, 0) << fits.err;
  std::string forged = taken.out;
  const auto digit = forged.find("\"mac\":\"") + 7;
  forged[digit] = forged[digit] == '0' ? '1' : '0';
  const Finished unsigned_one = verify_with(forged);
  EXPECT_EQ(unsigned_one.exit_code, 1);
  EXPECT_THAT(unsigned_one.err, HasSubstr("is not signed by this gateway's key"));
  EXPECT_EQ(verify_with("{}").exit_code, 1);
  EXPECT_EQ(daemon_.ask({"audit", "verify", "--checkpoint", "/nowhere/c"}).exit_code, 1);

  ASSERT_EQ(daemon_.stop(), 0);
  std::filesystem::copy_file(daemon_.folder() + "/older.db", database,
                             std::filesystem::copy_options::overwrite_existing);
  // Without the witness beside it, which would refuse to open.
  std::filesystem::remove(daemon_.state_folder() + "/audit.witness");
  start();
  EXPECT_EQ(daemon_.ask({"audit", "verify"}).exit_code, 0) << "the chain itself is whole";
  const Finished caught = verify_with(taken.out);
  EXPECT_EQ(caught.exit_code, 1);
  EXPECT_THAT(caught.err, HasSubstr("published at"));
}

TEST_F(AuditProcess, ACheckpointOfBeforeTheRootWasRotatedStillCounts) {
  start();
  const Finished first = daemon_.ask({"audit", "checkpoint"});
  ASSERT_EQ(daemon_.ask({"keys", "rotate", "root"}).exit_code, 0);
  const Finished second = daemon_.ask({"audit", "checkpoint"});
  ASSERT_EQ(daemon_.ask({"keys", "rotate", "root"}).exit_code, 0);
  for (const Finished& taken : {first, second}) {
    const Finished fits = verify_with(taken.out);
    EXPECT_EQ(fits.exit_code, 0) << fits.err;
  }
  std::string forged = first.out;
  const auto digit = forged.find("\"mac\":\"") + 7;
  forged[digit] = forged[digit] == '0' ? '1' : '0';
  EXPECT_EQ(verify_with(forged).exit_code, 1);
}

TEST_F(AuditProcess, CheckpointsReachTheBrokerOverTlsAndVerify) {
  if (!fakes::MosquittoBroker::installed()) GTEST_SKIP() << "no mosquitto here";
  const fakes::TestFolder folder;
  const fakes::TestCa ca(folder, "ca");
  fakes::MosquittoBroker broker(folder);
  broker.start(ca, ca.issue({.name = "broker", .addresses = {"127.0.0.1"}}));
  daemon_.configure(core::cat("[mqtt]\nhost = \"127.0.0.1\"\nport = ", broker.port(),
                              "\nca_file = \"", ca.file(), "\"\n"));
  start();
  ASSERT_TRUE(holds_within(20, [&] { return daemon_.status()["mqtt"]["connected"].boolean(); }))
      << daemon_.log();
  fakes::MosquittoWitness central(broker, ca, "clinic-gateway/v1/clinic-1/audit", 1);
  const auto heard = central.next();
  ASSERT_TRUE(heard.has_value());
  const std::string checkpoint = heard->substr(heard->find('{'));
  auto schema = core::read_whole_file(core::system_files(),
                                      GATEWAY_SOURCE_DIR "/docs/mqtt/audit.schema.json", 1U << 16);
  ASSERT_TRUE(schema.ok());
  EXPECT_EQ(schema_violation(parse(*schema), parse(checkpoint)), "") << checkpoint;
  const Finished fits = verify_with(checkpoint);
  EXPECT_EQ(fits.exit_code, 0) << fits.err;
}

TEST_F(AuditProcess, ALockedGatewaySaysSo) {
  daemon_.write_passphrase("");
  daemon_.start();
  ASSERT_TRUE(daemon_.reaches("locked")) << daemon_.log();
  for (const char* command : {"verify", "export", "checkpoint"}) {
    EXPECT_EQ(daemon_.ask({"audit", command}).exit_code, 4) << command;
  }
  EXPECT_EQ(daemon_.ask({"audit"}).exit_code, 2);
}

}  // namespace
}  // namespace gateway::daemon
