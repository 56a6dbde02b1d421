// Priors of who is expected: what is fetched, when, and what becomes of it.
#include "sync/eviction.h"
#include "sync/fetched_mark.h"
#include "sync/rebuild.h"
#include "sync/study_actions.h"
#include "sync/uplink_pauses.h"
#include "tests/sync/prefetch_fixture.h"

namespace gateway::sync {
namespace {

constexpr std::size_t kPreamble = 128;
std::string as_it_came() { return part10_head("1.2.1").substr(kPreamble) + "1.2|1.2.1|prior"; }

TEST_F(PrefetchTest, APriorIsHeldAsItCameCountsAsConfirmedAndGoesNowhere) {
  at_pacs_study("1.2", 2);
  fetch_all();
  EXPECT_EQ(held(), "1.2.1,1.2.2");
  EXPECT_EQ(content(1).substr(kPreamble), as_it_came());
  EXPECT_EQ(count("SELECT count(*) FROM outbox"), 0);
  EXPECT_EQ(count("SELECT count(*) FROM dicom_delivery WHERE uplink = 'pacs'"
                  " AND proof = 'verified'"),
            2);
  EXPECT_EQ(text("SELECT identity || ' ' || patient FROM dicom_study"), "linked p1");
  EXPECT_EQ(count("SELECT count(*) FROM audit WHERE actor = 'uplink:pacs' AND action = 'create'"
                  " AND patient = 'Patient/p1'"),
            2);
  EXPECT_EQ(report_.studies, 1u);
  EXPECT_EQ(report_.instances, 2u);
  EXPECT_EQ(report_.held_bytes,
            static_cast<std::uint64_t>(count("SELECT sum(size) FROM dicom_instance")));
  // Nor to an uplink that is new, and no hospital is told of a study it has.
  image_uplinks_ = {"pacs", "teaching"};
  fhir_uplinks_ = {"his", "second"};
  open();
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE kind = 'instance'"), 0);
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE subject LIKE 'ImagingStudy/%'"), 0);
}

TEST_F(PrefetchTest, ItIsDoneOnceForAVisit) {
  at_pacs_study("1.2", 1);
  fetch_all();
  ASSERT_TRUE(delete_study(*held_, core::system_clock(), "1.2").ok());
  ASSERT_EQ(held(), "");
  fetch_all();
  EXPECT_EQ(held(), "");
  EXPECT_EQ(lookups(), 1);
  // Another visit: the bytes that had gone come back, into the same row.
  schedule("s2", std::chrono::hours(3));
  fetch_all();
  EXPECT_EQ(held(), "1.2.1");
  EXPECT_EQ(count("SELECT count(*) FROM dicom_instance"), 1);
  EXPECT_EQ(content(1).substr(kPreamble), as_it_came());
  EXPECT_EQ(text("SELECT evicted_at || is_fetched FROM dicom_study"), "1");
}

TEST_F(PrefetchTest, AVisitThatIsFarOrCalledOffIsNothingToFetchFor) {
  at_pacs_study("1.2", 1);
  schedule("s1", std::chrono::hours(60), 2);
  fetch_all();
  EXPECT_EQ(held(), "");
  EXPECT_EQ(lookups(), 0);
  schedule("s1", std::chrono::hours(1), 3);
  fetch_all();
  EXPECT_EQ(held(), "1.2.1");
  EXPECT_EQ(count("SELECT count(*) FROM prefetch_visit"), 1);
  schedule("s1", std::chrono::hours(60), 4);
  fetch_all();
  EXPECT_EQ(count("SELECT count(*) FROM prefetch_visit"), 0);
  EXPECT_EQ(count("SELECT count(*) FROM prefetch_study"), 0);
}

TEST_F(PrefetchTest, OfAStudyThatIsPartlyHereOnlyTheRestIsFetched) {
  take_in("1.2", "1.2.1", "of the clinic", "");
  const auto waiting = count("SELECT count(*) FROM outbox");
  at_pacs_study("1.2", 2);
  fetch_all();
  EXPECT_EQ(held(), "1.2.1,1.2.2");
  EXPECT_EQ(count("SELECT count(*) FROM outbox"), waiting);
  EXPECT_EQ(count("SELECT is_fetched FROM dicom_study"), 0);
  EXPECT_EQ(text("SELECT group_concat(fetched_from) FROM (SELECT fetched_from FROM dicom_instance"
                 " ORDER BY row)"),
            ",pacs");
}

TEST_F(PrefetchTest, WhatTheClinicAddsToAFetchedStudyIsSentAndTold) {
  at_pacs_study("1.2", 1);
  fetch_all();
  store(facts("1.2", "1.2.9"), "new");
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE kind = 'instance'"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE subject LIKE 'ImagingStudy/%'"), 1);
  EXPECT_EQ(count("SELECT is_fetched FROM dicom_study"), 0);
}

TEST_F(PrefetchTest, WhatAModalitySendsAsWellGoesOnLikeAnyOtherImage) {
  at_pacs_study("1.2", 1);
  fetch_all();
  image_uplinks_ = {"pacs", "teaching"};
  open();
  ASSERT_EQ(count("SELECT count(*) FROM outbox"), 0);
  take_in("1.2", "1.2.1", "1.2|1.2.1|prior", "");
  EXPECT_EQ(count("SELECT count(*) FROM dicom_instance"), 1) << "the same bytes";
  EXPECT_EQ(text("SELECT group_concat(uplink) FROM outbox WHERE kind = 'instance'"
                 " AND perhaps_sent = 1"),
            "pacs,teaching");
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE subject LIKE 'ImagingStudy/%'"), 1);
  EXPECT_EQ(count("SELECT is_fetched OR NOT is_made_here FROM dicom_study"), 0);
  take_in("1.2", "1.2.1", "1.2|1.2.1|prior", "");
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE kind = 'instance'"), 2) << "once";
}

TEST_F(PrefetchTest, APacsThatGivesFewAtATimeIsAskedForTheRest) {
  at_pacs_study("1.2", 5);
  page_max_ = 2;
  fetch_all();
  EXPECT_EQ(held(), "1.2.1,1.2.2,1.2.3,1.2.4,1.2.5");
}

TEST_F(PrefetchTest, AfterACutItGoesOnWithTheHalfStudy) {
  at_pacs_study("1.2", 3);
  serves_left_ = 1;
  fetch_all();
  EXPECT_EQ(held(), "1.2.1");
  EXPECT_NE(report_.problem, "");
  open();  // and a restart
  is_cut_ = false;
  serves_left_ = 2;
  fetch_all();
  EXPECT_EQ(held(), "1.2.1,1.2.2,1.2.3");
  EXPECT_EQ(report_.problem, "");
  EXPECT_EQ(report_.instances, 3u);
  EXPECT_EQ(lookups(), 1);
}

TEST_F(PrefetchTest, WhatIsUrgentThePauseAndTheDiskGoFirst) {
  at_pacs_study("1.2", 1);
  const auto add = [&](const char* sql) { write([sql](Connection& c) { return c.run(sql); }); };
  add("INSERT INTO outbox (number, uplink, kind, subject, queued_at, turn)"
      " VALUES (77, 'pacs', 'instance', '5', '2026-01-01T00:00:00Z', 0)");
  fetch_all();
  EXPECT_TRUE(report_.is_waiting);
  add("UPDATE outbox SET turn = 3");
  write([](Connection& c) { return keep_paused(c, "pacs", true); });
  fetch_all();
  EXPECT_TRUE(report_.is_waiting);
  write([](Connection& c) { return keep_paused(c, "pacs", false); });
  free_at_least_ = files_.free + 1;
  fetch_all();
  EXPECT_TRUE(report_.is_waiting);
  EXPECT_EQ(held(), "");
  EXPECT_EQ(lookups(), 0);
  free_at_least_ = 0;
  fetch_all();
  EXPECT_FALSE(report_.is_waiting);
  EXPECT_EQ(held(), "1.2.1");
}

TEST_F(PrefetchTest, TheQuotaHoldsAndPriorsNobodyWaitsForMakeRoom) {
  prefetch_.policy.quota_bytes = 250'000;
  at_pacs_study("1.2", 1, std::string(200'000, 'a'));
  fetch_all();
  EXPECT_EQ(held(), "1.2.1");
  // For the same visit there is no room for another; for the next one, once this is over, there is.
  schedule("s2", std::chrono::hours(3));
  at_pacs_study("1.3", 1, std::string(200'000, 'b'));
  fetch_all();
  EXPECT_EQ(held(), "1.2.1");
  EXPECT_EQ(report_.given_up, 1u);
  schedule("s1", std::chrono::hours(90), 2);
  schedule("s2", std::chrono::hours(90), 2);
  not_at_pacs_study("1.2");
  fetch_all();
  schedule("s3", std::chrono::hours(3));
  fetch_all();
  EXPECT_EQ(held(), "1.3.1");
  EXPECT_LE(report_.held_bytes, 250'000u);
  EXPECT_EQ(state(1), "evicted");
}

TEST_F(PrefetchTest, WhatIsNoLongerWantedGoesAlsoBesideTheClinicsOwnAndFromAnEarlierUplink) {
  prefetch_.policy.quota_bytes = 250'000;
  take_in("1.2", "1.2.1", "of the clinic", "verified");
  at_pacs_study("1.2", 1);
  at_pacs("1.2.2", part10_head("1.2.2") + "1.2|1.2.2|" + std::string(200'000, 'a'));
  {
    const std::lock_guard lock(mutex_);
    studies_["1.2"].instances = {"1.2.1", "1.2.2"};
  }
  fetch_all();
  ASSERT_EQ(held(), "1.2.1,1.2.2");
  image_uplinks_ = {"old", "pacs"};
  open();
  write([](Connection& c) -> core::Status {
    GW_CHECK(c.run("UPDATE dicom_instance SET fetched_from = 'old' WHERE fetched_from <> ''"));
    GW_CHECK(c.run("UPDATE dicom_route SET uplink = 'old' WHERE instance = 2"));
    return c.run("UPDATE dicom_delivery SET uplink = 'old' WHERE instance = 2");
  });
  schedule("s1", std::chrono::hours(90), 2);
  fetch_all();
  want_instead("1.2", "1.3", 200'000, "s2");
  EXPECT_EQ(held(), "1.2.1,1.3.1");
}

TEST_F(PrefetchTest, OneThatMayNotGoKeepsNoYoungerFromGoing) {
  prefetch_.policy.quota_bytes = 250'000;
  at_pacs_study("1.2", 1, std::string(100'000, 'a'));
  fetch_all();
  want_instead("1.2", "1.3", 100'000, "s2");
  ASSERT_EQ(held(), "1.2.1,1.3.1");
  write([](Connection& c) {
    return c.run("UPDATE dicom_delivery SET proof = 'stored' WHERE instance = 1");
  });
  for (const char* visit : {"s1", "s2"}) schedule(visit, std::chrono::hours(90), 2);
  fetch_all();
  want_instead("1.3", "1.4", 120'000, "s3");
  EXPECT_EQ(held(), "1.2.1,1.4.1");
}

TEST_F(PrefetchTest, OneThatCannotBeShreddedMakesRoomAllTheSame) {
  prefetch_.policy.quota_bytes = 250'000;
  at_pacs_study("1.2", 1, std::string(200'000, 'a'));
  fetch_all();
  const std::string path = path_of(object_of(1));
  // No drive takes anything there.
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);
  schedule("s1", std::chrono::hours(90), 2);
  fetch_all();
  want_instead("1.2", "1.3", 200'000, "s2");
  EXPECT_EQ(held(), "1.3.1");
  EXPECT_EQ(count("SELECT count(*) FROM object_doomed"), 1) << "it is tried again";
}

TEST_F(PrefetchTest, SentByAPersonItGoesWhereItHasNotBeen) {
  at_pacs_study("1.2", 1);
  fetch_all();
  image_uplinks_ = {"pacs", "teaching"};
  open();
  const auto to_all = send_study(*held_, core::system_clock(), "1.2", "");
  ASSERT_TRUE(to_all.ok());
  EXPECT_EQ(*to_all, 0);
  EXPECT_EQ(count("SELECT count(*) FROM outbox"), 0);
  const auto to_one = send_study(*held_, core::system_clock(), "1.2", "teaching");
  ASSERT_TRUE(to_one.ok());
  EXPECT_EQ(*to_one, 1);
}

TEST_F(PrefetchTest, WhereOnlyTheObjectsAreLeftAPriorIsStillOne) {
  RecordsTest::take_in("1.9", "1.9.1", "of the clinic");
  at_pacs_study("1.2", 2);
  fetch_all();
  ASSERT_EQ(held(), "1.2.1,1.2.2,1.9.1");
  lose_database();
  ASSERT_TRUE(want_rebuild(core::system_files(), folder_).ok());
  image_uplinks_ = {"pacs", "teaching"};
  open();
  EXPECT_EQ(held(), "1.2.1,1.2.2,1.9.1");
  EXPECT_EQ(text("SELECT group_concat(sop_instance_uid) FROM (SELECT sop_instance_uid"
                 " FROM dicom_instance WHERE fetched_from = 'pacs' ORDER BY sop_instance_uid)"),
            "1.2.1,1.2.2");
  EXPECT_EQ(count("SELECT is_fetched AND NOT is_made_here FROM dicom_study"
                  " WHERE study_uid = '1.2'"),
            1);
  EXPECT_EQ(count("SELECT count(*) FROM dicom_delivery WHERE uplink = 'pacs' AND proof = 'stored'"),
            2);
  EXPECT_EQ(text("SELECT group_concat(DISTINCT i.sop_instance_uid) FROM outbox o"
                 " JOIN dicom_instance i ON i.row = o.subject WHERE o.kind = 'instance'"),
            "1.9.1");
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE kind = 'resource'"), 1);
}

TEST_F(PrefetchTest, TheMarkOfAPriorIsOfItsObjectAlone) {
  auto writer = held_->objects().create();
  ASSERT_TRUE(writer.ok());
  MarkedWriter marked(**writer, std::string(64, 'u'));
  const std::string file = part10_head("1.2.1") + "1.2|1.2.1|prior";
  for (std::size_t at = 0; at < file.size(); at += 50) {
    const auto piece = std::string_view(file).substr(at, 50);
    ASSERT_TRUE(marked.append(std::as_bytes(std::span(piece))).ok());
  }
  const auto object = (*writer)->finish();
  ASSERT_TRUE(object.ok());
  ASSERT_EQ(object->size, file.size());
  std::string bytes(file.size(), ' ');
  const auto reader = held_->objects().open_object(object->id);
  ASSERT_TRUE(reader.ok());
  ASSERT_TRUE((*reader)->read(0, std::as_writable_bytes(std::span(bytes))).ok());
  EXPECT_EQ(bytes.substr(kPreamble), file.substr(kPreamble));
  EXPECT_EQ(fetched_from(std::as_bytes(std::span(bytes)), object->id), std::string(64, 'u'));
  EXPECT_EQ(fetched_from(std::as_bytes(std::span(bytes)), "another"), "");
  EXPECT_EQ(fetched_from(std::as_bytes(std::span(file)), object->id), "");
  EXPECT_EQ(fetched_from({}, object->id), "");
}

TEST_F(PrefetchTest, ADamagedPriorIsFetchedAgainAsOne) {
  at_pacs_study("1.2", 1, std::string(300'000, 'x'));
  fetch_all();
  const std::string object = object_of(1);
  damage(object, 290'000);
  options_.scrub_bytes_per_s = 1'000'000'000;
  run();
  ASSERT_TRUE(eventually([&] { return object_of(1) != object; }));
  const std::string bytes = content(1);
  EXPECT_EQ(fetched_from(std::as_bytes(std::span(bytes)), object_of(1)), "pacs");
}

TEST_F(PrefetchTest, RetentionLetsPriorsGoBeforeWhatTheClinicMade) {
  const auto made_here = UpkeepTest::take_in("1.9", "1.9.1", "made here", "verified");
  age("1.9", 300);
  at_pacs_study("1.2", 1);
  fetch_all();
  Asking asking;
  asking.image_uplinks = image_uplinks_;
  StudyCursor cursor;
  std::vector<std::string> order;
  write([&](Connection& c) -> core::Status {
    while (true) {
      GW_TRY(const auto held, held_studies(c, asking, "~", 1, cursor));
      if (held.empty()) return {};
      order.push_back(held.front().study_uid);
      EXPECT_TRUE(held.front().instances.front().confirmed);
    }
  });
  EXPECT_EQ(order, (std::vector<std::string>{"1.2", "1.9"}));
  EXPECT_EQ(state(made_here), "held");
}

TEST_F(PrefetchTest, TheUpkeepDoesItAndSaysSo) {
  at_pacs_study("1.2", 1);
  options_.prefetch = prefetch_;
  options_.prefetch_every = core::Milliseconds(10);
  run();
  ASSERT_TRUE(eventually([&] { return upkeep_->report()["prefetch"]["studies"].integer() == 1; }));
  EXPECT_EQ(upkeep_->report()["prefetch"]["state"].text(), "idle");
  EXPECT_EQ(held(), "1.2.1");
  upkeep_.reset();
  options_.prefetch = {};
  run();
  EXPECT_EQ(upkeep_->report()["prefetch"]["state"].text(), "off");
}

}  // namespace
}  // namespace gateway::sync
