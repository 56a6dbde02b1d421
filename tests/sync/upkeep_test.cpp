// Retention, scrub and what they leave after a crash, with the real store and a PACS that is asked
// over HTTP.
#include "crypto/database_key.h"
#include "sync/damage.h"
#include "sync/eviction.h"
#include "sync/pins.h"
#include "sync/shredding.h"
#include "tests/sync/upkeep_fixture.h"

namespace gateway::sync {
namespace {

constexpr std::size_t kBig = 300'000;  // two chunks of an object

TEST_F(UpkeepTest, AnOldStudyGoesOnceThePacsHasShownItsImages) {
  options_.retention.keep = std::chrono::hours(24 * 30);
  const auto old_row = take_in("1.2", "1.2.3", "old pixels");
  const auto young_row = take_in("1.9", "1.9.3", "young pixels");
  age("1.2", 31);
  const std::string object = object_of(old_row);
  ASSERT_TRUE(std::filesystem::exists(path_of(object)));
  run();
  ASSERT_TRUE(eventually([&] { return !std::filesystem::exists(path_of(object)); }));
  EXPECT_EQ(state(old_row), "evicted");
  EXPECT_EQ(state(young_row), "held");
  EXPECT_EQ(text("SELECT proof FROM dicom_delivery WHERE instance = 1"), "verified");
  EXPECT_EQ(text("SELECT length(digest) FROM dicom_instance WHERE row = 1"), "64");
  EXPECT_NE(text("SELECT evicted_at FROM dicom_study WHERE study_uid = '1.2'"), "");
  EXPECT_EQ(text("SELECT evicted_at FROM dicom_study WHERE study_uid = '1.9'"), "");
  ASSERT_TRUE(eventually([&] { return retention()["evicted"].integer() == 1; }));
  EXPECT_EQ(count("SELECT count(*) FROM object_doomed"), 0);
  EXPECT_EQ(count("SELECT count(*) FROM audit WHERE action = 'evict'"), 1);
}

TEST_F(UpkeepTest, WhatWentInAnotherFormIsKnownByThat) {
  options_.retention.keep = std::chrono::hours(24 * 30);
  const auto row = take_in("1.2", "1.2.3", "pixels");
  const std::string sent = part10_head("1.2.3") + "pixels under another name";
  at_pacs("1.2.3", sent);
  write([&](Connection& c) { return keep_sent_form(c, row, "pacs", *digest_of_file(sent)); });
  age("1.2", 31);
  run();
  ASSERT_TRUE(eventually([&] { return state(row) == "evicted"; }));
  EXPECT_EQ(text("SELECT proof FROM dicom_delivery WHERE instance = 1"), "verified");
}

TEST_F(UpkeepTest, TheWordOfThePacsAloneIsNoProof) {
  options_.retention.keep = std::chrono::hours(24);
  const auto gone = take_in("1.2", "1.2.3", "pixels", "present");
  const auto changed = take_in("1.2", "1.2.4", "pixels");
  const auto waiting = take_in("1.2", "1.2.5", "pixels", "");
  age("1.2", 90);
  not_at_pacs("1.2.3");
  at_pacs("1.2.4", part10_head("1.2.4") + "other pixels");
  run();
  ASSERT_TRUE(eventually([&] {
    return retention()["missing"].integer() == 1 && retention()["differing"].integer() == 1;
  }));
  for (const auto row : {gone, changed, waiting}) EXPECT_EQ(state(row), "held");
  ASSERT_FALSE(upkeep_->problems().empty());
  EXPECT_NE(upkeep_->problems()[0].find("2 images were not found unchanged"), std::string::npos);
  // They are not asked for again at every round.
  const int before = asked();
  const auto groups = held_->database().groups_committed();
  write([](Connection& c) { return c.run("UPDATE dicom_study SET pinned = 0"); });
  EXPECT_GT(held_->database().groups_committed(), groups);
  EXPECT_LE(asked(), before + 1);
}

TEST_F(UpkeepTest, APinnedStudyAndOneInDisputeStay) {
  options_.retention.keep = std::chrono::hours(24);
  const auto pinned = take_in("1.2", "1.2.3", "pixels", "verified");
  const auto disputed = take_in("1.3", "1.3.3", "pixels", "verified");
  const auto other = take_in("1.4", "1.4.3", "pixels", "verified");
  for (const char* study : {"1.2", "1.3", "1.4"}) age(study, 90);
  ASSERT_TRUE(pin_study(*held_, core::system_clock(), "1.2", true).ok());
  write([](Connection& c) {
    return c.run("UPDATE dicom_study SET identity = 'disputed' WHERE study_uid = '1.3'");
  });
  run();
  ASSERT_TRUE(eventually([&] { return state(other) == "evicted"; }));
  EXPECT_EQ(state(pinned), "held");
  EXPECT_EQ(state(disputed), "held");
  ASSERT_TRUE(pin_study(*held_, core::system_clock(), "1.2", false).ok());
  EXPECT_TRUE(eventually([&] { return state(pinned) == "evicted"; }));
  EXPECT_FALSE(pin_study(*held_, core::system_clock(), "9.9", true).ok());
}

TEST_F(UpkeepTest, RoomIsMadeFromTheOldestOnAndNoFurtherThanAsked) {
  options_.retention.free_below_bytes = 1'000'000;
  options_.retention.free_until_bytes = 1'500'000;
  const auto first = take_in("1.2", "1.2.3", std::string(kBig, 'a'));
  const auto second = take_in("1.3", "1.3.3", std::string(kBig, 'b'));
  const auto third = take_in("1.4", "1.4.3", std::string(kBig, 'c'));
  age("1.2", 3);
  age("1.3", 2);
  age("1.4", 1);
  files_.free = 999'999;  // 500,001 bytes are wanted: two of the three
  run();
  ASSERT_TRUE(eventually([&] { return state(second) == "evicted"; }));
  files_.free = 2'000'000;
  ASSERT_TRUE(eventually([&] { return retention()["state"].text() == "idle"; }));
  EXPECT_EQ(state(first), "evicted");
  EXPECT_EQ(state(third), "held");
}

TEST_F(UpkeepTest, ItSaysWhenRoomIsWantedAndNothingMayGo) {
  options_.retention.free_below_bytes = 1'000;
  options_.retention.free_until_bytes = 2'000;
  take_in("1.2", "1.2.3", "pixels", "");
  files_.free = 10;
  run();
  ASSERT_TRUE(eventually([&] { return retention()["state"].text() == "short_of_space"; }));
  EXPECT_EQ(upkeep_->problems().size(), 1u);
  files_.free = 10'000;
  EXPECT_TRUE(eventually([&] { return upkeep_->problems().empty(); }));
}

TEST_F(UpkeepTest, AnEvictedInstanceSentAgainIsRecognised) {
  const auto row = take_in("1.2", "1.2.3", "the pixels", "verified");
  ASSERT_TRUE(evict(*held_, core::system_clock(), {row}).ok());
  ASSERT_TRUE(shred_doomed(held_->database(), held_->objects(), core::system_clock(), [] {
                return false;
              }).ok());
  ASSERT_EQ(state(row), "evicted");
  ASSERT_NE(text("SELECT evicted_at FROM dicom_study"), "");

  EXPECT_EQ(take_in("1.2", "1.2.3", "the pixels"), row);
  EXPECT_EQ(count("SELECT count(*) FROM dicom_instance"), 1);
  // Other bytes of the same length are another copy, and the study has bytes again.
  EXPECT_NE(take_in("1.2", "1.2.3", "THE pixels"), row);
  EXPECT_EQ(text("SELECT evicted_at FROM dicom_study"), "");
}

TEST_F(UpkeepTest, APinSetAfterThePlanIsHeeded) {
  const auto row = take_in("1.2", "1.2.3", "pixels", "verified");
  ASSERT_TRUE(pin_study(*held_, core::system_clock(), "1.2", true).ok());
  const auto evicted = evict(*held_, core::system_clock(), {row});
  ASSERT_TRUE(evicted.ok());
  EXPECT_EQ(evicted->instances, 0u);
  EXPECT_EQ(state(row), "held");
}

TEST_F(UpkeepTest, WhatWasDoomedBeforeACrashIsShreddedAfterIt) {
  const auto row = take_in("1.2", "1.2.3", "pixels", "verified");
  const std::string path = path_of(object_of(row));
  ASSERT_TRUE(evict(*held_, core::system_clock(), {row}).ok());
  ASSERT_TRUE(std::filesystem::exists(path));
  open();  // the power went between the mark and the shredder
  run();
  EXPECT_TRUE(eventually([&] { return count("SELECT count(*) FROM object_doomed") == 0; }));
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(UpkeepTest, OneThatCannotBeShreddedKeepsNoOtherFromGoing) {
  options_.retention.keep = std::chrono::hours(24 * 30);
  const auto stuck = take_in("1.2", "1.2.3", "pixels", "verified");
  const auto doomed = take_in("1.3", "1.3.3", "pixels", "verified");
  const auto old_row = take_in("1.4", "1.4.3", "pixels", "verified");
  age("1.4", 31);
  const std::string stuck_path = path_of(object_of(stuck));
  const std::string doomed_path = path_of(object_of(doomed));
  const std::string old_path = path_of(object_of(old_row));
  ASSERT_TRUE(evict(*held_, core::system_clock(), {stuck, doomed}).ok());
  // No drive takes anything there.
  std::filesystem::remove(stuck_path);
  std::filesystem::create_directory(stuck_path);
  ASSERT_FALSE(shred_doomed(held_->database(), held_->objects(), core::system_clock(), [] {
                 return false;
               }).ok());
  EXPECT_FALSE(std::filesystem::exists(doomed_path));
  EXPECT_EQ(count("SELECT count(*) FROM object_doomed"), 1) << "it is tried again";
  run();
  EXPECT_TRUE(eventually([&] { return !std::filesystem::exists(old_path); }));
  EXPECT_TRUE(eventually([&] { return retention()["evicted"].integer() == 1; }));
  EXPECT_TRUE(eventually([&] { return !upkeep_->problems().empty(); }));
}

TEST_F(UpkeepTest, OldSamplesArePackedAndVeryOldOnesGo) {
  const auto insert = [](Connection& connection, const std::string& received_at) {
    return connection.run(
        "INSERT INTO sample (device, digest, received_at, value_count, bytes)"
        " VALUES ('monitor', x'', ?, 20, CAST('words' AS BLOB))",
        received_at);
  };
  const core::Wall now = core::system_clock().wall();
  write([&](Connection& connection) -> core::Status {
    GW_CHECK(insert(connection, core::to_instant(now - std::chrono::minutes(30))));
    return insert(connection, core::to_instant(now - std::chrono::minutes(20)));
  });
  run();
  ASSERT_TRUE(eventually([&] { return count("SELECT count(*) FROM sample") == 0; }));
  EXPECT_EQ(count("SELECT message_count FROM sample_block"), 2);
  EXPECT_EQ(count("SELECT value_count FROM sample_block"), 40);
  write([](Connection& connection) {
    return connection.run("UPDATE sample_block SET last_at = '2001-01-01T00:00:00.000Z'");
  });
  EXPECT_TRUE(eventually([&] { return count("SELECT count(*) FROM sample_block") == 0; }));
}

TEST_F(UpkeepTest, TheScrubFetchesADamagedObjectAgain) {
  options_.scrub_bytes_per_s = 100'000'000;
  const std::string pixels(kBig, 'p');
  take_in("1.2", "1.2.1", "sound");
  const auto row = take_in("1.2", "1.2.3", pixels);
  const std::string damaged = object_of(row);
  damage(damaged, 5'000);
  run();
  ASSERT_TRUE(eventually([&] { return !scrub()["finished_at"].is_null(); }));
  EXPECT_EQ(scrub()["objects"].integer(), 2);
  EXPECT_EQ(scrub()["damaged"].integer(), 1);
  EXPECT_EQ(scrub()["repaired"].integer(), 1);
  EXPECT_EQ(scrub()["damaged_now"].integer(), 0);
  EXPECT_EQ(scrub()["database"].text(), "ok");
  EXPECT_TRUE(eventually([&] { return !std::filesystem::exists(path_of(damaged)); }));
  EXPECT_NE(object_of(row), damaged);
  EXPECT_EQ(content(row), part10_head("1.2.3") + pixels);
  EXPECT_EQ(state(row), "held");
  EXPECT_TRUE(upkeep_->problems().empty());
}

TEST_F(UpkeepTest, DamageThatCannotBeMendedIsReportedByNameAndMendedLater) {
  options_.scrub_bytes_per_s = 100'000'000;
  const auto row = take_in("1.2", "1.2.3", "pixels");
  damage(object_of(row), 60);  // the header: nothing of it can be read any more
  at_pacs("1.2.3", part10_head("1.2.3") + "pixels of somebody else");
  run();
  ASSERT_TRUE(eventually([&] { return scrub()["damaged_now"].integer() == 1; }));
  EXPECT_EQ(state(row), "damaged");
  ASSERT_EQ(upkeep_->problems().size(), 1u);
  auto report =
      held_->database().read_value<Json>([](Connection& c) { return damage_report(c, 10); });
  ASSERT_TRUE(report.ok());
  EXPECT_EQ((*report)[0]["sop_instance_uid"].text(), "1.2.3");
  EXPECT_NE((*report)[0]["fetched"].text().find("other bytes"), std::string_view::npos);

  at_pacs("1.2.3", part10_head("1.2.3") + "pixels");
  EXPECT_TRUE(eventually([&] { return upkeep_->problems().empty(); }));
  EXPECT_EQ(state(row), "held");
  EXPECT_EQ(content(row), part10_head("1.2.3") + "pixels");
}

// Nobody has compared it with the PACS yet, so no digest says what it must be.
TEST_F(UpkeepTest, ACopyThatDiffersWhereTheDamagedOneIsReadableIsNotTaken) {
  options_.scrub_bytes_per_s = 100'000'000;
  const std::string pixels(kBig, 'p');
  const auto row = take_in("1.2", "1.2.3", pixels);
  const std::string damaged = object_of(row);
  damage(damaged, 5'000);
  std::string other = pixels;
  other[kBig - 10] = 'q';
  at_pacs("1.2.3", part10_head("1.2.3") + other);
  run();
  ASSERT_TRUE(eventually([&] { return scrub()["damaged_now"].integer() == 1; }));
  EXPECT_EQ(object_of(row), damaged);
  EXPECT_EQ(state(row), "damaged");
  at_pacs("1.2.3", part10_head("1.2.3") + pixels);
  EXPECT_TRUE(eventually([&] { return state(row) == "held"; }));
  EXPECT_EQ(content(row), part10_head("1.2.3") + pixels);
}

TEST_F(UpkeepTest, WhatCanBeReadAgainIsHeldAgain) {
  options_.scrub_bytes_per_s = 100'000'000;
  const auto row = take_in("1.2", "1.2.3", std::string(kBig, 'p'));
  not_at_pacs("1.2.3");
  damage(object_of(row), 5'000);
  run();
  ASSERT_TRUE(eventually([&] { return state(row) == "damaged"; }));
  damage(object_of(row), 5'000);  // as it was
  EXPECT_TRUE(eventually([&] { return state(row) == "held"; }));
  EXPECT_TRUE(eventually([&] { return upkeep_->problems().empty(); }));
  EXPECT_EQ(count("SELECT count(*) FROM audit WHERE outcome = 'it can be read again'"), 1);
}

TEST_F(UpkeepTest, WhileAnEpochsKeyIsLostNoUnprovenCopyTakesAnObjectsPlace) {
  options_.scrub_bytes_per_s = 100'000'000;
  const auto row = take_in("1.2", "1.2.3", "pixels");
  const std::string object = object_of(row);
  damage(object, 40);  // its wrapped key: it opens no more than if the epoch's key were gone
  BorrowedKeyring::pretended_lost = 202601;
  run();
  EXPECT_TRUE(eventually([&] { return state(row) == "damaged"; }));
  EXPECT_EQ(object_of(row), object);
  BorrowedKeyring::pretended_lost = 0;
  EXPECT_TRUE(eventually([&] { return state(row) == "held"; }));
  EXPECT_NE(object_of(row), object);
  EXPECT_EQ(content(row), part10_head("1.2.3") + "pixels");
}

TEST_F(UpkeepTest, ALostFileIsDamageToo) {
  options_.scrub_bytes_per_s = 100'000'000;
  const auto row = take_in("1.2", "1.2.3", "pixels");
  std::filesystem::remove(path_of(object_of(row)));
  run();
  ASSERT_TRUE(eventually([&] { return scrub()["repaired"].integer() == 1; }));
  EXPECT_EQ(content(row), part10_head("1.2.3") + "pixels");
}

TEST_F(UpkeepTest, AFolderOfObjectsThatIsGoneIsToldAtTheNextStart) {
  take_in("1.2", "1.2.3", "pixels");
  take_in("1.2", "1.2.4", "more pixels");
  not_at_pacs("1.2.4");
  std::filesystem::remove_all(folder_ + "/objects");
  open();
  run();
  EXPECT_TRUE(eventually([&] { return scrub()["damaged_now"].integer() == 1; }));
  EXPECT_EQ(state(1), "held") << "the PACS had it";
  EXPECT_EQ(state(2), "damaged");
}

TEST_F(UpkeepTest, APageSomebodyMetIsLookedIntoAtOnce) {
  const auto suspect = [&] {
    (void)held_->database().read([](Connection&) -> core::Status {
      return core::Error(core::Code::corrupt, "it makes no sense");
    });
  };
  take_in("1.2", "1.2.3", "pixels");
  suspect();
  run();
  ASSERT_TRUE(eventually([&] { return count("SELECT count(*) FROM dicom_instance") == 1; }));
  EXPECT_TRUE(upkeep_->problems().empty()) << "it was something else";
  upkeep_.reset();
  ASSERT_TRUE(*held_->database().truncate_wal());
  std::fstream(crypto::database_path(folder_), std::ios::binary | std::ios::in | std::ios::out)
      .seekp(20 * 4096 + 100)
      .write("damaged damaged", 15);
  run();
  suspect();
  EXPECT_TRUE(eventually([&] { return !upkeep_->problems().empty(); }));
  EXPECT_NE(upkeep_->problems()[0].find("the database is damaged"), std::string::npos);
}

TEST_F(UpkeepTest, ARoundGoesOnAfterARestartWhereItStood) {
  options_.scrub_bytes_per_s = 100'000'000;
  for (int i = 1; i <= 3; ++i) take_in("1.2", core::cat("1.2.", i), "pixels");
  const std::string begun = core::to_instant(std::chrono::system_clock::now());
  write([&](Connection& c) {
    return c.run("INSERT INTO scrub VALUES (1, ?, 2, 2, 999, 0, 0, '', '', '')", begun);
  });
  run();
  ASSERT_TRUE(eventually([&] { return !scrub()["finished_at"].is_null(); }));
  EXPECT_EQ(scrub()["objects"].integer(), 3);
  EXPECT_EQ(scrub()["started_at"].text(), begun);
  upkeep_.reset();
  // No new round until it is due.
  run();
  ASSERT_TRUE(eventually([&] { return !scrub()["finished_at"].is_null(); }));
  EXPECT_EQ(scrub()["started_at"].text(), begun);
}

TEST_F(UpkeepTest, ItStopsInTheMiddleOfASlowRound) {
  options_.scrub_bytes_per_s = 1'000'000;
  take_in("1.2", "1.2.3", std::string(20 * kBig, 'x'));
  run();
  ASSERT_TRUE(eventually([&] { return scrub()["state"].text() == "running"; }));
  const auto begun = std::chrono::steady_clock::now();
  upkeep_.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(5));
  EXPECT_EQ(text("SELECT finished_at FROM scrub"), "");
}

TEST_F(UpkeepTest, DeletedRowsLeaveTheWal) {
  options_.deleted_leave_wal_every = core::Milliseconds(50);
  take_in("1.2", "1.2.3", "pixels", "");
  write([](Connection& c) { return c.run("DELETE FROM outbox"); });
  run();
  EXPECT_TRUE(
      eventually([&] { return std::filesystem::file_size(folder_ + "/gateway.db-wal") == 0; }));
}

}  // namespace
}  // namespace gateway::sync
