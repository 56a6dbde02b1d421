// Two bookings of one slot, and one vaccine given twice on a day.
#include "sync/same_occasion.h"

#include "sync/merge_options.h"
#include "sync/review.h"
#include "tests/sync/records_fixture.h"

namespace gateway::sync {
namespace {

class SameOccasionTest : public RecordsTest {
 protected:
  void SetUp() override {
    RecordsTest::SetUp();
    ASSERT_EQ(pull(kPatient), Applied::applied);
  }
  static std::string booking(std::string_view id, std::string_view created) {
    return core::cat(R"({"resourceType":"Appointment","id":")", id,
                     R"(","meta":{"versionId":"1"},"status":"booked","slot":[{"reference":)",
                     R"("Slot/s1"}],"created":")", created, R"("})");
  }
  static std::string vaccination(std::string_view id, std::string_view at) {
    return core::cat(R"({"resourceType":"Immunization","id":")", id,
                     R"(","meta":{"versionId":"1"},"status":"completed","vaccineCode":{"text":)",
                     R"("MMR"},"patient":{"reference":"Patient/p1"},"occurrenceDateTime":")", at,
                     R"("})");
  }
  void enter_here(const ResourceKey& key, std::string_view json) {
    write([&](Connection& c) -> core::Status {
      GW_TRY(const Json body, Json::parse(json));
      GW_TRY(const std::int64_t version, put_resource(c, key, body, "clinic", kNow));
      EXPECT_GT(version, 0);
      return {};
    });
  }
  std::string status_of(const std::string& id) {
    std::string status;
    write([&](Connection& c) -> core::Status {
      GW_TRY(const auto held, read_resource(c, {"Appointment", id}));
      status = held ? held->body["status"].text() : "";
      return {};
    });
    return status;
  }
  std::int64_t open_of(const std::string& id) {
    return count(core::cat("SELECT count(*) FROM review WHERE state = 'open' AND id = '", id, "'"));
  }
  std::int64_t queued(const std::string& key) {
    return count(core::cat("SELECT count(*) FROM outbox WHERE subject = '", key, "'"));
  }
};

TEST_F(SameOccasionTest, TheLaterBookingOfASlotBecomesProposedWhicheverSideMadeIt) {
  enter_here({"Appointment", "ours"}, booking("ours", "2026-01-01T10:00:00Z"));
  EXPECT_EQ(pull(booking("early", "2026-01-01T09:00:00Z")), Applied::applied);
  EXPECT_EQ(status_of("ours"), "proposed");
  EXPECT_EQ(status_of("early"), "booked");
  EXPECT_EQ(open_of("ours"), 1);
  EXPECT_EQ(queued("Appointment/ours"), 1);

  enter_here({"Appointment", "second"}, booking("second", "2026-01-01T10:00:00Z"));
  EXPECT_EQ(pull(booking("late", "2026-01-01T11:00:00Z")), Applied::applied);
  EXPECT_EQ(status_of("late"), "proposed");
  EXPECT_EQ(status_of("second"), "booked");
  EXPECT_EQ(queued("Appointment/late"), 1);
}

TEST_F(SameOccasionTest, AVisitThatHasBegunIsNotProposedAgain) {
  std::string visit = booking("ours", "2026-01-01T10:00:00Z");
  visit.replace(visit.find("booked"), 6, "fulfilled");
  enter_here({"Appointment", "ours"}, visit);
  EXPECT_EQ(pull(booking("theirs", "2026-01-01T09:00:00Z")), Applied::applied);
  EXPECT_EQ(status_of("ours"), "fulfilled");
  EXPECT_EQ(status_of("theirs"), "booked");
  EXPECT_EQ(open_of("ours"), 1);
  EXPECT_EQ(queued("Appointment/ours"), 0);
}

TEST_F(SameOccasionTest, APersonBooksItAfterAll) {
  enter_here({"Appointment", "ours"}, booking("ours", ""));
  EXPECT_EQ(pull(booking("theirs", "")), Applied::applied);
  EXPECT_EQ(status_of("ours"), "proposed");
  write([&](Connection& c) {
    return decide_review(c, deciding("user:desk"), 1,
                         {.groups = {}, .otherwise = {GroupAnswer::Take::ours, {}}, .seen = 0});
  });
  EXPECT_EQ(status_of("ours"), "booked");
}

TEST_F(SameOccasionTest, TheHospitalsOwnTwoBookingsAreItsOwnAffair) {
  EXPECT_EQ(pull(booking("one", "")), Applied::applied);
  EXPECT_EQ(pull(booking("two", "")), Applied::applied);
  EXPECT_EQ(count("SELECT count(*) FROM review"), 0);
}

TEST_F(SameOccasionTest, OneVaccineOnOneDayIsAskedAboutAndBothStay) {
  enter_here({"Immunization", "ours"}, vaccination("ours", "2026-01-01T10:00:00Z"));
  EXPECT_EQ(pull(vaccination("next-day", "2026-01-02")), Applied::applied);
  EXPECT_EQ(open_of("next-day"), 0);
  EXPECT_EQ(pull(vaccination("again", "2026-01-01")), Applied::applied);
  EXPECT_EQ(open_of("again"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM audit WHERE action = 'flag' AND patient = 'Patient/p1'"),
            1);
  // It can be closed though one of the two was deleted.
  write([&](Connection& c) -> core::Status {
    GW_TRY(const std::int64_t version, delete_resource(c, {"Immunization", "again"}, "his", kNow));
    EXPECT_GT(version, 0);
    return decide_review(c, deciding("user:nurse"), 1,
                         {.groups = {}, .otherwise = {GroupAnswer::Take::merged, {}}, .seen = 0});
  });
  EXPECT_EQ(open_of("again"), 0);
}

TEST(SitePolicy, ChoosesOnlyWhereTheTableLeavesAChoice) {
  const auto read = [](std::string_view text) {
    return core::Config::parse(text, "site.toml", merge_config_keys());
  };
  const auto usual = read("");
  ASSERT_TRUE(usual.ok());
  EXPECT_EQ(merge_policy(*usual)->version(), kPolicyVersion);
  const auto chosen = read("[merge.Patient]\ntelecom = \"ask\"\n");
  ASSERT_TRUE(chosen.ok());
  const auto policy = merge_policy(*chosen);
  ASSERT_TRUE(policy.ok());
  EXPECT_EQ(policy->version(), core::cat(kPolicyVersion, " Patient/telecom=ask"));
  const auto patient = [](std::string_view number) {
    return *Json::parse(core::cat(R"({"resourceType":"Patient","id":"1","telecom":[{"use":")",
                                  number, R"(","value":")", number, R"("}]})"));
  };
  const Versions versions{patient("home"), patient("work"), patient("mobile")};
  EXPECT_FALSE(merge(versions, usual_policy()).asks());
  const Merge strict = merge(versions, *policy);
  EXPECT_TRUE(strict.asks());
  EXPECT_EQ(strict.policy, policy->version());
  EXPECT_FALSE(read("[merge.Patient]\nidentity = \"clinic\"\n").ok());
  EXPECT_FALSE(read("[merge.Patient]\ntelecom = \"his\"\n").ok());
  EXPECT_FALSE(read("[merge.MedicationRequest]\nstatus = \"clinic\"\n").ok());
  EXPECT_FALSE(MergePolicy::for_site({{"Goal", "x", "ask"}}).ok());
  EXPECT_FALSE(MergePolicy::for_site({{"Patient", "x", "ask"}}).ok());
}

}  // namespace
}  // namespace gateway::sync
