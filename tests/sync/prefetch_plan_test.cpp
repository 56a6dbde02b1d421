// Which visits are near, and which priors are wanted for them.
#include "sync/prefetch_plan.h"

#include <gtest/gtest.h>

namespace gateway::sync {
namespace {

using Uids = std::vector<std::string>;

PriorStudy prior(const std::string& uid, const std::string& date, const std::string& modality,
                 const std::string& time = "") {
  PriorStudy study;
  study.facts.study_instance_uid = uid;
  study.facts.study_date = date;
  study.facts.study_time = time;
  study.modalities = {modality};
  return study;
}

TEST(PrefetchPlan, AVisitIsNearFromItsMorningUntilTheHoursAreThrough) {
  const core::DicomTime now{"20261123", "200000"};
  const core::DicomTime until{"20261124", "200000"};
  EXPECT_TRUE(is_near("20261123", "090000", now, until)) << "the patient is late";
  EXPECT_TRUE(is_near("20261124", "200000", now, until));
  EXPECT_TRUE(is_near("20261124", "", now, until));
  EXPECT_FALSE(is_near("20261124", "200001", now, until));
  EXPECT_FALSE(is_near("20261122", "230000", now, until));
  EXPECT_FALSE(is_near("20261125", "", now, until));
  EXPECT_FALSE(is_near("", "", now, until));
}

TEST(PrefetchPlan, TheVisitsModalityComesFirstAndTheNewestOfEach) {
  const PrefetchPolicy policy{.studies_max = 4, .years_max = 5};
  EXPECT_EQ(choose_priors(policy, "20261123", "CT", "own",
                          {prior("a", "20250101", "MR"), prior("b", "20240101", "CT"),
                           prior("c", "20260101", "CR"), prior("d", "20260601", "CT", "0900"),
                           prior("e", "20260601", "CT", "1500"), prior("f", "20230101", "CR")}),
            (Uids{"e", "d", "b", "c"}));
}

TEST(PrefetchPlan, WhatIsTooOldOrHasNoDateOrIsTheVisitItselfIsNotWanted) {
  const PrefetchPolicy policy{.studies_max = 9, .years_max = 2};
  EXPECT_EQ(choose_priors(policy, "20261123", "CT", "own",
                          {prior("old", "20241122", "CT"), prior("just", "20241123", "CT"),
                           prior("none", "", "CT"), prior("odd", "2026.1.1", "CT"),
                           prior("later", "20261124", "CT"), prior("own", "20261123", "CT"),
                           prior("", "20260101", "CT"), prior("just", "20241123", "CT")}),
            (Uids{"just"}));
  EXPECT_EQ(years_before("20240229", 1), "20230228");
  EXPECT_EQ(years_before("20240229", 4), "20200229");
  EXPECT_EQ(years_before("00031231", 5), "00001231");
}

}  // namespace
}  // namespace gateway::sync
