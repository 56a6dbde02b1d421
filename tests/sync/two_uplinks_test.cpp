// Two hospitals that both hold the clinic's patients: what the one says is not lost when the other
// speaks.
#include "sync/fhir_deletions.h"
#include "sync/outgoing.h"
#include "sync/review.h"
#include "tests/sync/records_fixture.h"

namespace gateway::sync {
namespace {

class TwoUplinksTest : public RecordsTest {
 protected:
  TwoUplinksTest() { fhir_uplinks_ = {"district", "his"}; }

  void SetUp() override {
    RecordsTest::SetUp();
    says("his", patient("1", "Roe"));
    says("district", patient("1", "Roe"));
    ASSERT_EQ(waiting("his") + waiting("district"), 0);
  }
  static std::string patient(const char* version, const char* family, const char* more = "") {
    return core::cat(R"({"resourceType":"Patient","id":"p1","meta":{"versionId":")", version,
                     R"("},"name":[{"family":")", family, R"("}])", more, "}");
  }
  void says(const std::string& uplink, const std::string& json) {
    write([&](Connection& c) -> core::Status {
      GW_TRY(const Json resource, Json::parse(json));
      const Reconciling with{held_->audit(), core::system_clock(), uplink};
      GW_TRY([[maybe_unused]] const Applied applied,
             apply_pulled(c, with, resource, held_->options().worklist));
      return {};
    });
  }
  void clinic_enters(const std::string& json) {
    write([&](Connection& c) -> core::Status {
      GW_TRY(const Json body, Json::parse(json));
      GW_CHECK(put_resource(c, patient_, body, "clinic", kNow));
      for (const char* uplink : {"his", "district"})
        GW_CHECK(queue_row(c, uplink, "resource", patient_.text(), 0, std::nullopt, kNow));
      return {};
    });
  }
  std::int64_t waiting(const std::string& uplink) {
    return count(core::cat(
        "SELECT count(*) FROM outbox WHERE subject = 'Patient/p1' AND uplink = '", uplink, "'"));
  }
  Json shown() {
    auto held = held_->database().read_value<Json>([&](Connection& c) -> core::Result<Json> {
      GW_TRY(auto found, read_resource(c, patient_));
      return found ? found->body : Json();
    });
    return held.ok() ? *held : Json();
  }
  std::string family() { return std::string(shown()["name"][std::size_t{0}]["family"].text()); }
  bool is_proposal(const std::string& uplink) {
    auto out = held_->database().read_value<bool>([&](Connection& c) -> core::Result<bool> {
      GW_TRY(const auto outgoing, load_held(c, uplink, patient_));
      return outgoing && outgoing->proposed_against.has_value();
    });
    return out.ok() && *out;
  }

  const ResourceKey patient_{"Patient", "p1"};
  static constexpr char kMarried[] = R"(,"maritalStatus":{"text":"married"})";
  static constexpr char kSpanish[] = R"(,"language":"es")";
};

TEST_F(TwoUplinksTest, WhatBothChangedIsMergedAndBothAreTold) {
  says("his", patient("2", "Roe", kMarried));
  EXPECT_EQ(waiting("his") + waiting("district"), 0);
  says("district", patient("2", "Roe", kSpanish));
  EXPECT_EQ(shown()["maritalStatus"]["text"].text(), "married") << "what the one said stays";
  EXPECT_EQ(shown()["language"].text(), "es");
  EXPECT_EQ(waiting("his"), 1);
  EXPECT_EQ(waiting("district"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE subject LIKE 'Provenance/%'"), 2);
  EXPECT_EQ(count("SELECT count(*) FROM review WHERE state = 'open'"), 0);
}

TEST_F(TwoUplinksTest, ANameOneHospitalCorrectedIsNoProposalOfTheClinics) {
  says("his", patient("2", "Rowe"));
  says("district", patient("2", "Roe", kSpanish));
  EXPECT_EQ(family(), "Rowe");
  EXPECT_EQ(count("SELECT count(*) FROM review WHERE state = 'open'"), 0);
  EXPECT_FALSE(is_proposal("district"));
  EXPECT_EQ(waiting("district"), 1);
}

TEST_F(TwoUplinksTest, WhereTheyDifferOnWhoSomebodyIsNeitherIsOverwrittenBeforeAPersonDecides) {
  says("his", patient("2", "Rowe"));
  says("district", patient("2", "Rau"));
  EXPECT_EQ(family(), "Rau");
  EXPECT_EQ(waiting("his") + waiting("district"), 0) << "nobody is told while a person is asked";
  clinic_enters(patient("", "Rau", kSpanish));
  EXPECT_TRUE(is_proposal("his")) << "nor with something else";
  const auto number = count("SELECT number FROM review WHERE state = 'open'");
  decide_all(number, GroupAnswer::Take::ours);
  EXPECT_EQ(family(), "Rowe");
  EXPECT_EQ(shown()["language"].text(), "es");
  EXPECT_FALSE(is_proposal("his"));
  EXPECT_FALSE(is_proposal("district"));
  EXPECT_EQ(waiting("his"), 1);
  EXPECT_EQ(waiting("district"), 1);
}

TEST_F(TwoUplinksTest, ADecisionGoesToWhoeverHasSomethingElse) {
  says("his", patient("2", "Rowe"));
  says("district", patient("2", "Rau"));
  decide_all(count("SELECT number FROM review WHERE state = 'open'"), GroupAnswer::Take::theirs);
  EXPECT_EQ(family(), "Rau");
  EXPECT_EQ(waiting("his"), 1);
  EXPECT_EQ(waiting("district"), 0);
}

TEST_F(TwoUplinksTest, ADeletionAtTheOneAsksAboutWhatTheOtherChanged) {
  says("his", patient("2", "Roe", kMarried));
  write([&](Connection& c) -> core::Status {
    const Reconciling with{held_->audit(), core::system_clock(), "district"};
    GW_TRY([[maybe_unused]] const Applied applied, apply_deletion(c, with, patient_, "2", false));
    return {};
  });
  EXPECT_EQ(shown()["maritalStatus"]["text"].text(), "married");
  EXPECT_EQ(count("SELECT count(*) FROM review WHERE state = 'open'"), 1);
}

TEST_F(TwoUplinksTest, AnUplinkThatIsConfiguredNoMoreIsNotWaitedFor) {
  fhir_uplinks_ = {"his"};
  open();
  says("his", patient("2", "Roe", kMarried));
  clinic_enters(patient("", "Roe", kMarried));
  write([](Connection& c) { return c.run("DELETE FROM outbox"); });
  clinic_enters(patient("", "Roe", kSpanish));
  write([](Connection& c) { return c.run("DELETE FROM outbox WHERE uplink = 'district'"); });
  says("his", patient("3", "Roe", R"(,"active":true)"));
  EXPECT_EQ(waiting("district"), 0);
}

}  // namespace
}  // namespace gateway::sync
