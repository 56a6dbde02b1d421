// What arrives before what it needs waits in the inbox, and nowhere is it seen meanwhile.
#include "sync/fhir_deletions.h"
#include "sync/reports.h"
#include "tests/sync/records_fixture.h"

namespace gateway::sync {
namespace {

class InboxTest : public RecordsTest {
 protected:
  std::int64_t waiting() { return count("SELECT count(*) FROM inbox"); }
  bool is_held(std::string_view reference) {
    auto held = held_->database().read_value<std::optional<StoredResource>>(
        [&](Connection& c) { return read_resource(c, *parse_reference(reference)); });
    EXPECT_TRUE(held.ok());
    return held.ok() && held->has_value();
  }
  Applied deleted_there(std::string_view reference) {
    Applied applied = Applied::unchanged;
    write([&](Connection& c) -> core::Status {
      const Reconciling with{held_->audit(), core::system_clock(), "his"};
      GW_TRY(applied, apply_deletion(c, with, *parse_reference(reference), "2", false));
      return {};
    });
    return applied;
  }
};

constexpr char kTask[] =
    R"({"resourceType":"Task","id":"t1","meta":{"versionId":"1"},"status":"requested","intent":"order",)"
    R"("for":{"reference":"Patient/p1"},"focus":{"reference":"ServiceRequest/s1"}})";
constexpr char kResult[] =
    R"({"resourceType":"Observation","id":"o1","meta":{"versionId":"1"},"status":"final","code":{"text":"K"},)"
    R"("subject":{"reference":"Patient/p1"},"basedOn":[{"reference":"ServiceRequest/kept-from-us"}]})";

TEST_F(InboxTest, AnOrderWaitsForItsPatient) {
  EXPECT_EQ(pull(kOrder), Applied::waiting);
  const auto health = held_->database().read_value<Json>(
      [](Connection& c) { return health_report(c, "2100-01-01T00:00:00.000Z"); });
  ASSERT_TRUE(health.ok());
  EXPECT_EQ((*health)["inbox"]["waiting"].integer(), 1);
  EXPECT_GT((*health)["inbox"]["oldest_age_s"].integer().value_or(0), 1'000'000);
  EXPECT_TRUE(worklist().empty());
  EXPECT_EQ(pull(kPatient), Applied::applied);
  EXPECT_EQ(worklist().size(), 1u);
  EXPECT_EQ(waiting(), 0);
}

TEST_F(InboxTest, AResultWaitsForItsPatientButNotForAnOrderThatMayNeverCome) {
  EXPECT_EQ(pull(kResult), Applied::waiting);
  EXPECT_FALSE(is_held("Observation/o1"));
  EXPECT_EQ(pull(kPatient), Applied::applied);
  EXPECT_TRUE(is_held("Observation/o1"));
  EXPECT_EQ(waiting(), 0);
}

TEST_F(InboxTest, ATaskWaitsForItsPatientAndThenForItsOrder) {
  EXPECT_EQ(pull(kTask), Applied::waiting);
  EXPECT_EQ(pull(kPatient), Applied::applied);
  EXPECT_EQ(waiting(), 1);
  EXPECT_FALSE(is_held("Task/t1"));
  EXPECT_EQ(pull(kOrder), Applied::applied);
  EXPECT_TRUE(is_held("Task/t1"));
  EXPECT_EQ(waiting(), 0);
}

TEST_F(InboxTest, AChangeOfWhatIsHeldWaitsForNothing) {
  for (const auto& json : {kPatient, kOrder, std::string_view(kTask)})
    EXPECT_EQ(pull(json), Applied::applied);
  EXPECT_EQ(deleted_there("ServiceRequest/s1"), Applied::applied);
  std::string changed(kTask);
  changed.replace(changed.find("\"versionId\":\"1\""), 15, "\"versionId\":\"2\"");
  changed.replace(changed.find("requested"), 9, "cancelled");
  EXPECT_EQ(pull(changed), Applied::applied);
  EXPECT_EQ(waiting(), 0);
}

TEST_F(InboxTest, WhatIsDeletedThereWhileItWaitsDoesNotComeBack) {
  EXPECT_EQ(pull(kResult), Applied::waiting);
  EXPECT_EQ(deleted_there("Observation/o1"), Applied::unchanged);
  EXPECT_EQ(pull(kPatient), Applied::applied);
  EXPECT_FALSE(is_held("Observation/o1"));
}

}  // namespace
}  // namespace gateway::sync
