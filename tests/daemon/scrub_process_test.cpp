// The scrub of the daemon as it ships finds a damaged page of its database.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/ids.h"
#include "core/text.h"
#include "stopped_state.h"
#include "sync/replica.h"

namespace gateway::daemon {
namespace {

using core::Json;
using testing::HasSubstr;

constexpr int kResources = 2'000;

class ScrubProcess : public testing::Test {
 protected:
  std::string medium() const { return daemon_.folder() + "/medium"; }
  std::string database() const { return daemon_.state_folder() + "/gateway.db"; }

  /// The scrub off, so that it does not look before the damage is done.
  void start_without_scrub() {
    std::filesystem::create_directory(daemon_.folder() + "/conf.d");
    std::ofstream(daemon_.folder() + "/conf.d/scrub.toml") << "[scrub]\nrate_mb_s = 0\n";
    daemon_.start();
    ASSERT_TRUE(daemon_.reaches("ready")) << daemon_.log();
  }
  void start_with_scrub() {
    std::filesystem::remove(daemon_.folder() + "/conf.d/scrub.toml");
    daemon_.start();
  }
  /// Years of work: most pages are of tables that no start looks at.
  void fill() {
    const auto held = open_stopped(daemon_);
    ASSERT_NE(held, nullptr);
    const auto written = held->database().write([](crypto::Connection& connection) -> core::Status {
      for (int i = 0; i < kResources; ++i) {
        const std::string id = core::new_uuid();
        const Json body = Json::object(
            {{"resourceType", "Basic"}, {"id", id}, {"note", std::string(1'000, 'x')}});
        GW_CHECK(sync::put_resource(connection, {"Basic", id}, body, "clinic",
                                    "2026-03-01T08:00:00.000Z"));
      }
      return {};
    });
    ASSERT_TRUE(written.ok()) << written.error().message();
  }
  void damage_a_page() {
    constexpr std::uint64_t kPage = 4096;
    const auto middle = std::filesystem::file_size(database()) / 2 / kPage * kPage;
    std::fstream file(database(), std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(middle + 1000));
    file.write("damaged", 7);
    ASSERT_TRUE(file.good());
  }
  void back_up_and_damage() {
    daemon_.configure("[backup]\ndir = \"" + medium() + "\"\n");
    start_without_scrub();
    ASSERT_EQ(daemon_.stop(), 0);
    fill();
    start_without_scrub();
    const Finished backup = daemon_.ask({"backup", "--to", medium()});
    ASSERT_EQ(backup.exit_code, 0) << backup.err;
    ASSERT_EQ(daemon_.stop(), 0);
    damage_a_page();
  }
  Json storage() {
    auto answer = Json::parse(daemon_.ask({"storage"}).out);
    return answer.ok() ? std::move(*answer) : Json();
  }
  std::string problems() { return daemon_.status()["problems"].dump(); }

  DaemonProcess daemon_;
};

TEST_F(ScrubProcess, ADamagedPageIsFoundAndTheDatabaseComesBackFromTheBackup) {
  back_up_and_damage();

  start_with_scrub();
  EXPECT_EQ(daemon_.end(120), 1) << daemon_.log();
  EXPECT_THAT(daemon_.log(), HasSubstr("unlocked: ready")) << "no start looks at that page";
  EXPECT_THAT(daemon_.log(), HasSubstr("the database is damaged: "));
  EXPECT_THAT(daemon_.log(), HasSubstr("a restart restores it from the backup"));

  daemon_.start();  // as the service manager does
  ASSERT_TRUE(daemon_.reaches("ready")) << daemon_.log();
  EXPECT_THAT(problems(), HasSubstr("was restored from the backup of"));
  EXPECT_THAT(daemon_.log(), HasSubstr("THE DATABASE WAS DAMAGED AND IS RESTORED"));
  const auto sound = [&] { return storage()["upkeep"]["scrub"]["database"].text() == "ok"; };
  EXPECT_TRUE(holds_within(60, sound)) << storage().dump();
  ASSERT_EQ(daemon_.stop(), 0);
  const auto held = open_stopped(daemon_);
  ASSERT_NE(held, nullptr);
  const auto resources =
      held->database().read_value<std::optional<std::int64_t>>([](crypto::Connection& connection) {
        return connection.integer("SELECT count(*) FROM resource NOT INDEXED");
      });
  ASSERT_TRUE(resources.ok()) << resources.error().message();
  EXPECT_EQ(*resources, kResources);
}

TEST_F(ScrubProcess, WhereAPersonUnlocksItThePersonIsAskedToRestartIt) {
  back_up_and_damage();
  daemon_.write_passphrase("not this one");
  start_with_scrub();
  ASSERT_TRUE(daemon_.reaches("locked")) << daemon_.log();
  const Finished unlocked = daemon_.ask({"unlock"}, "correct horse battery staple");
  ASSERT_EQ(unlocked.exit_code, 0) << unlocked.err;
  EXPECT_TRUE(holds_within(60, [&] {
    return problems().find("restart the service and unlock it") != std::string::npos;
  })) << daemon_.log();
  EXPECT_TRUE(daemon_.running());
  ASSERT_EQ(daemon_.stop(), 0);
  daemon_.write_passphrase("correct horse battery staple");
  daemon_.start();
  ASSERT_TRUE(daemon_.reaches("ready")) << daemon_.log();
  EXPECT_THAT(problems(), HasSubstr("was restored from the backup of"));
}

TEST_F(ScrubProcess, WithoutABackupItGoesOnAndSaysWhatToDo) {
  start_without_scrub();
  ASSERT_EQ(daemon_.stop(), 0);
  fill();
  damage_a_page();
  start_with_scrub();
  EXPECT_TRUE(holds_within(60, [&] {
    return problems().find("no backup folder is configured") != std::string::npos;
  })) << daemon_.log();
  EXPECT_EQ(daemon_.status()["storage"]["state"].text(), "damaged");
  EXPECT_EQ(daemon_.status()["storage"]["database"].text(), "damaged");
  EXPECT_TRUE(daemon_.running());
}

}  // namespace
}  // namespace gateway::daemon
