// Rotation, backup, restore and the repair of a damaged database with the daemon and the command as
// they ship.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "daemon_process.h"

namespace gateway::daemon {
namespace {

using core::Json;
using testing::HasSubstr;

constexpr char kPassphrase[] = "correct horse battery staple";

Json parse(const std::string& text) {
  auto json = Json::parse(text);
  return json.ok() ? std::move(*json) : Json();
}

bool has_problem(const Json& status, std::string_view component) {
  for (const Json& problem : status["problems"].items()) {
    if (problem["component"].text() == component) return true;
  }
  return false;
}

class BackupProcess : public testing::Test {
 protected:
  void start() {
    daemon_.start();
    ASSERT_TRUE(daemon_.reaches("ready")) << daemon_.log();
  }
  Json back_up() {
    const Finished run = daemon_.ask({"backup", "--to", medium()});
    EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
    return parse(run.out);
  }
  std::string medium() const { return daemon_.folder() + "/medium"; }
  /// In order, so that no WAL is left which holds the page as it was and heals it.
  void damage_database() {
    EXPECT_EQ(daemon_.stop(), 0);
    std::ofstream(database(), std::ios::binary | std::ios::in).write("damaged", 7);
  }
  std::string database() const { return daemon_.state_folder() + "/gateway.db"; }

  DaemonProcess daemon_;
};

TEST_F(BackupProcess, RotatesEveryKeyAndStartsAgain) {
  start();
  const Finished rotated = daemon_.ask({"keys", "rotate"});
  ASSERT_EQ(rotated.exit_code, 0) << rotated.err;
  const Json answer = parse(rotated.out);
  EXPECT_EQ(answer["database"]["generation"].integer(), 2);
  EXPECT_TRUE(answer["epoch"]["current"].integer().has_value());
  EXPECT_EQ(answer["root"]["number"].integer(), 2);
  EXPECT_EQ(daemon_.status()["state"].text(), "ready");
  daemon_.kill_hard();
  start();
  EXPECT_EQ(
      parse(daemon_.ask({"keys", "rotate", "database"}).out)["database"]["generation"].integer(),
      3);
}

TEST_F(BackupProcess, ANewRootOpensByThePassphraseAsBeforeAndKeepsTheTrail) {
  daemon_.configure("[backup]\ndir = \"" + medium() + "\"\n");
  start();
  back_up();
  const Finished rotated = daemon_.ask({"keys", "rotate", "root"});
  ASSERT_EQ(rotated.exit_code, 0) << rotated.err;
  EXPECT_EQ(parse(rotated.out)["root"]["number"].integer(), 2);
  const Finished trail = daemon_.ask({"audit", "verify"});
  EXPECT_EQ(trail.exit_code, 0) << trail.out << trail.err;
  const Json next = back_up();
  EXPECT_EQ(daemon_.ask({"backup", "--verify", "--to", medium()}).exit_code, 0);
  daemon_.kill_hard();
  start();
  EXPECT_FALSE(has_problem(daemon_.status(), "restore"));
  // The backup made since serves a damaged database again.
  damage_database();
  start();
  EXPECT_TRUE(has_problem(daemon_.status(), "restore")) << daemon_.log();
}

TEST_F(BackupProcess, KilledWhileTheRootChangesItGoesOnAtTheNextStart) {
  start();
  for (std::int64_t root = 2; root < 8; ++root) {
    // The moment of the kill differs from round to round; every one of them must do.
    std::thread asking([&] { daemon_.ask({"keys", "rotate", "root"}); });
    const std::string ring = daemon_.state_folder() + "/keyring.json";
    const auto before = std::filesystem::last_write_time(ring);
    EXPECT_TRUE(holds_within(30, [&] { return std::filesystem::last_write_time(ring) != before; }));
    daemon_.kill_hard();
    asking.join();
    start();
    ASSERT_FALSE(HasFatalFailure());
    EXPECT_TRUE(holds_within(30, [&] {
      return daemon_.ask({"backup", "--to", medium()}).exit_code == 0;
    })) << daemon_.log();
    EXPECT_EQ(daemon_.ask({"audit", "verify"}).exit_code, 0);
  }
}

TEST_F(BackupProcess, ABackupRestoresABareBoxByThePassphraseAlone) {
  start();
  const std::string recovery_code(
      parse(daemon_.ask({"keys", "add", "recovery"}).out)["recovery_code"].text());
  ASSERT_EQ(recovery_code.size(), 47u);
  const Json first = back_up();
  EXPECT_EQ(first["written"].integer(), first["files"].integer());
  const Json second = back_up();
  EXPECT_LT(*second["written"].integer(), *second["files"].integer());
  EXPECT_EQ(daemon_.ask({"backup", "--verify", "--to", medium()}).exit_code, 0);

  const std::vector<std::string> restore{"restore", "--from", medium(), "--state-dir",
                                         daemon_.state_folder()};
  const Finished refused = daemon_.ask(restore, kPassphrase);
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("another clinic-gatewayd"));
  EXPECT_EQ(daemon_.stop(), 0);
  std::filesystem::remove_all(daemon_.state_folder());
  const Finished nothing = daemon_.ask(
      {"restore", "--from", daemon_.folder() + "/nowhere", "--state-dir", daemon_.state_folder()});
  EXPECT_EQ(nothing.exit_code, 1);
  EXPECT_THAT(nothing.err, HasSubstr("there is no backup in")) << "before the code is asked for";
  const Finished wrong = daemon_.ask(restore, "another passphrase");
  EXPECT_EQ(wrong.exit_code, 4) << wrong.err;
  std::string code = recovery_code;
  code[0] = code[0] == 'A' ? 'B' : 'A';
  const Finished mistyped = daemon_.ask(restore, code);
  EXPECT_EQ(mistyped.exit_code, 1);
  EXPECT_THAT(mistyped.err, HasSubstr("mistyped in group 1"));
  EXPECT_THAT(daemon_.ask(restore, recovery_code.substr(6)).err, HasSubstr("this one has 35"));
  const Finished restored = daemon_.ask(restore, kPassphrase);
  ASSERT_EQ(restored.exit_code, 0) << restored.err;
  start();
  EXPECT_TRUE(has_problem(daemon_.status(), "restore"));
  EXPECT_EQ(daemon_.ask({"restore", "--dismiss"}).exit_code, 0);
  EXPECT_FALSE(has_problem(daemon_.status(), "restore"));
  EXPECT_EQ(daemon_.ask({"restore", "--dismiss"}).exit_code, 1);
}

TEST_F(BackupProcess, NoBackupGoesIntoTheStateFolder) {
  start();
  std::filesystem::create_directory_symlink(daemon_.state_folder(), daemon_.folder() + "/link");
  for (const std::string& folder :
       {daemon_.state_folder(), daemon_.state_folder() + "/objects", daemon_.folder(),
        daemon_.folder() + "/link", daemon_.folder() + "/link/new"}) {
    const Finished refused = daemon_.ask({"backup", "--to", folder});
    EXPECT_EQ(refused.exit_code, 1) << folder << refused.out;
    EXPECT_THAT(refused.err, HasSubstr("state folder")) << folder;
    EXPECT_FALSE(std::filesystem::exists(folder + "/GATEWAY"));
  }
  EXPECT_FALSE(std::filesystem::exists(daemon_.state_folder() + "/backup-spool"));
  back_up();
}

TEST_F(BackupProcess, WhatVerifyFindsTheNextRunMends) {
  start();
  back_up();
  for (const auto& entry : std::filesystem::directory_iterator(medium() + "/database")) {
    const auto piece = std::filesystem::directory_iterator(entry.path())->path();
    std::ofstream(piece, std::ios::binary | std::ios::in).write("damaged", 7);
    break;
  }
  const Finished bad = daemon_.ask({"backup", "--verify", "--to", medium()});
  EXPECT_EQ(bad.exit_code, 1) << bad.out;
  back_up();
  EXPECT_EQ(daemon_.ask({"backup", "--verify", "--to", medium()}).exit_code, 0);
}

TEST_F(BackupProcess, ADamagedDatabaseIsSetAsideAndRestored) {
  daemon_.configure("[backup]\ndir = \"" + medium() + "\"\n");
  start();
  back_up();
  damage_database();
  start();
  const Json status = daemon_.status();
  EXPECT_TRUE(has_problem(status, "restore")) << status.dump();
  EXPECT_THAT(status.dump(), HasSubstr("was restored from the backup of"));
  EXPECT_THAT(daemon_.log(), HasSubstr("DAMAGED"));
  std::size_t aside = 0;
  for (const auto& entry : std::filesystem::directory_iterator(daemon_.state_folder())) {
    aside += entry.path().filename().string().find("gateway.db.damaged-") == 0 ? 1U : 0U;
  }
  EXPECT_GE(aside, 1u);
  daemon_.kill_hard();
  start();
  EXPECT_TRUE(has_problem(daemon_.status(), "restore")) << "until it is dismissed";
}

TEST_F(BackupProcess, WithoutABackupADamagedDatabaseIsLeftAndSaysWhatToDo) {
  start();
  damage_database();
  daemon_.start();
  ASSERT_TRUE(daemon_.reaches("failed"));
  EXPECT_THAT(std::string(daemon_.status()["reason"].text()), HasSubstr("repair rebuild-index"));
  EXPECT_TRUE(std::filesystem::exists(database()));
}

}  // namespace
}  // namespace gateway::daemon
