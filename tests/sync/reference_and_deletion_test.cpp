// What tests/sim found or exercises, each as a story of its own: the order of references, versions
// that cross on the way, deletions on either side.
#include "sync/crossings.h"
#include "sync/fhir_deletions.h"
#include "sync/review.h"
#include "tests/sync/records_fixture.h"

namespace gateway::sync {
namespace {

class StoriesTest : public RecordsTest {
 protected:
  void enter(const ResourceKey& key, std::string_view json) {
    write([&](Connection& c) -> core::Status {
      GW_TRY(const Json body, Json::parse(json));
      GW_CHECK(put_resource(c, key, body, "clinic", kNow));
      GW_CHECK(queue_row(c, "his", "resource", key.text(), 0, std::nullopt, kNow));
      return {};
    });
  }
  void deliver_next(const ResourceKey& key) { deliver(key, "1", 1); }
  void deliver(const ResourceKey& key, const std::string& remote_version,
               std::size_t rows_max = 10) {
    for (const OutboxRow& row : claim("his", rows_max).rows) {
      ASSERT_EQ(row.subject, key.text());
      Verdict done;
      done.what = Verdict::What::done;
      done.number = row.number;
      done.remote_version = remote_version;
      done.local_version =
          count(core::cat("SELECT version FROM resource WHERE id = '", key.id, "'"));
      record("his", done);
    }
  }
  Applied deleted_there(const ResourceKey& key, bool crossed = false) {
    Applied applied = Applied::unchanged;
    write([&](Connection& c) -> core::Status {
      const Reconciling with{held_->audit(), core::system_clock(), "his"};
      GW_TRY(applied, apply_deletion(c, with, key, "3", crossed));
      return {};
    });
    return applied;
  }
  bool is_held(const ResourceKey& key) {
    auto held = held_->database().read_value<std::optional<StoredResource>>(
        [&](Connection& c) { return read_resource(c, key); });
    return held.ok() && held->has_value();
  }

  const ResourceKey patient_{"Patient", "p9"};
  const ResourceKey order_{"ServiceRequest", "o9"};
  static constexpr std::string_view kEntered = R"({"resourceType":"Patient","id":"p9"})";
  static constexpr std::string_view kOrdered =
      R"({"resourceType":"ServiceRequest","id":"o9","subject":{"reference":"Patient/p9"}})";
};

TEST_F(StoriesTest, NothingGoesBeforeWhatItRefersTo) {
  enter(order_, kOrdered);
  enter(patient_, kEntered);
  const Claim first = claim("his");
  ASSERT_EQ(first.rows.size(), 1u);
  EXPECT_EQ(first.rows[0].subject, "Patient/p9");
  EXPECT_TRUE(claim("his").rows.empty());
  Verdict done;
  done.what = Verdict::What::done;
  done.number = first.rows[0].number;
  done.remote_version = "1";
  done.local_version = 1;
  record("his", done);
  EXPECT_EQ(claim("his").rows.size(), 1u);
}

TEST_F(StoriesTest, WhatWaitsForARefusedResourceGoesOnceItIsCorrectedAndDelivered) {
  enter(patient_, kEntered);
  enter(order_, kOrdered);
  const Claim first = claim("his");
  ASSERT_EQ(first.rows.size(), 1u);
  Verdict refused;
  refused.what = Verdict::What::park;
  refused.number = first.rows[0].number;
  record("his", refused);
  EXPECT_TRUE(claim("his").rows.empty());
  enter(patient_, R"({"resourceType":"Patient","id":"p9","gender":"female"})");
  deliver(patient_, "1", 1);
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE state = 'parked'"), 0);
  deliver(order_, "1", 1);
  EXPECT_EQ(count("SELECT count(*) FROM outbox"), 0);
}

TEST_F(StoriesTest, WhatIsUrgentGoesFirstAndSoDoesWhatItWaitsFor) {
  enter({"Patient", "p1"}, R"({"resourceType":"Patient","id":"p1"})");
  enter({"ServiceRequest", "o1"},
        R"({"resourceType":"ServiceRequest","id":"o1","subject":{"reference":"Patient/p1"}})");
  enter(patient_, kEntered);
  enter({"ServiceRequest", "o8"},
        R"({"resourceType":"ServiceRequest","id":"o8","priority":"asap"})");
  enter(order_, kOrdered);
  // It becomes urgent while it waits.
  enter(
      order_,
      R"({"resourceType":"ServiceRequest","id":"o9","priority":"stat","subject":{"reference":"Patient/p9"}})");
  for (const ResourceKey& next :
       {patient_, order_, ResourceKey{"ServiceRequest", "o8"}, ResourceKey{"Patient", "p1"},
        ResourceKey{"ServiceRequest", "o1"}})
    deliver_next(next);
  EXPECT_TRUE(claim("his").rows.empty());
}

TEST_F(StoriesTest, WhatRefersToEachOtherIsNotHeldBackForEver) {
  enter(patient_,
        R"({"resourceType":"Patient","id":"p9","link":[{"other":{"reference":"Patient/q9"}}]})");
  enter({"Patient", "q9"},
        R"({"resourceType":"Patient","id":"q9","link":[{"other":{"reference":"Patient/p9"}}]})");
  EXPECT_FALSE(claim("his").rows.empty());
}

TEST_F(StoriesTest, AChangeOfWhatTheHospitalHasHoldsNobodyBack) {
  enter(patient_, kEntered);
  deliver(patient_, "1");
  enter(patient_, R"({"resourceType":"Patient","id":"p9","gender":"female"})");
  enter(order_, kOrdered);
  EXPECT_EQ(claim("his").rows.size(), 2u);
}

TEST_F(StoriesTest, AVersionReadBeforeOurOwnWasDeliveredDoesNotTakeItsPlace) {
  enter(patient_, R"({"resourceType":"Patient","id":"p9","gender":"female"})");
  deliver(patient_, "2");
  Applied applied = Applied::applied;
  write([&](Connection& c) -> core::Status {
    const Reconciling with{held_->audit(), core::system_clock(), "his"};
    GW_TRY(const Json older,
           Json::parse(R"({"resourceType":"Patient","id":"p9","meta":{"versionId":"1"}})"));
    GW_TRY(applied, apply_pulled(c, with, older, held_->options().worklist, true));
    return {};
  });
  EXPECT_EQ(applied, Applied::crossed);
  EXPECT_NE(text("SELECT body FROM resource_version WHERE id = 'p9' ORDER BY version DESC")
                .find("female"),
            std::string::npos);
}

TEST_F(StoriesTest, ADeliveryCrossesWhatWasReadWhileItRan) {
  Crossings crossings;
  crossings.begin("Patient/a");
  const std::uint64_t mark = crossings.before_reading();
  EXPECT_TRUE(crossings.crossed("Patient/a", mark));
  crossings.end("Patient/a");
  EXPECT_TRUE(crossings.crossed("Patient/a", mark));
  EXPECT_FALSE(crossings.crossed("Patient/b", mark));
  EXPECT_FALSE(crossings.crossed("Patient/a", crossings.before_reading()));
}

TEST_F(StoriesTest, ADeletionAtTheHospitalLeavesATombstone) {
  EXPECT_EQ(pull(kPatient), Applied::applied);
  const ResourceKey pulled{"Patient", "p1"};
  EXPECT_EQ(deleted_there(pulled, true), Applied::crossed);
  EXPECT_TRUE(is_held(pulled));
  EXPECT_EQ(deleted_there(pulled), Applied::applied);
  EXPECT_FALSE(is_held(pulled));
  EXPECT_EQ(count("SELECT count(*) FROM resource_version WHERE id = 'p1'"), 2);
  EXPECT_EQ(deleted_there(pulled), Applied::unchanged);
}

TEST_F(StoriesTest, AnEditSurvivesADeletionAndAPersonMayLetItGo) {
  enter(patient_, kEntered);
  deliver(patient_, "2");
  enter(patient_, R"({"resourceType":"Patient","id":"p9","gender":"female"})");
  EXPECT_EQ(deleted_there(patient_), Applied::applied);
  EXPECT_TRUE(is_held(patient_));
  const auto number = count("SELECT number FROM review WHERE state = 'open'");
  ASSERT_GT(number, 0);
  decide_all(number, GroupAnswer::Take::theirs);
  EXPECT_FALSE(is_held(patient_));
}

}  // namespace
}  // namespace gateway::sync
