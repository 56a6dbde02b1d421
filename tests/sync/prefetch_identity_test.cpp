// Whose priors are taken: those of the patient who is expected, and nobody's else.
#include "tests/sync/prefetch_fixture.h"

namespace gateway::sync {
namespace {

TEST_F(PrefetchTest, WhatIsNotCertainlyThePatientsIsNotTaken) {
  at_pacs_study("1.2", 1, "prior", {.name = "Doe^Kim"});
  at_pacs_study("1.3", 1, "prior", {.id = "P2"});
  at_pacs_study("1.4", 1, "prior", {.issuer = "2.25.77"});
  // The PACS says it is hers; the images name somebody else.
  at_pacs_study("1.5", 1);
  at_pacs("1.5.1", part10_head("1.5.1") + "1.6|1.5.1|prior");
  at_pacs_study("1.7", 1);
  fetch_all();
  EXPECT_EQ(held(), "1.7.1");
  EXPECT_EQ(count("SELECT count(*) FROM dicom_study"), 1);
  EXPECT_EQ(report_.given_up, 1u);
  EXPECT_EQ(count("SELECT count(*) FROM prefetch_study WHERE state = 'given_up'"), 1);
}

TEST_F(PrefetchTest, AStudyInDisputeOrHeldBackIsLeftAlone) {
  take_in("1.2", "1.2.1", "of the clinic", "verified");
  write([](Connection& c) {
    return c.run("UPDATE dicom_study SET identity = 'disputed', patient = ''");
  });
  at_pacs_study("1.2", 2);
  fetch_all();
  EXPECT_EQ(held(), "1.2.1");
}

TEST_F(PrefetchTest, AnIdAloneIsNotEnough) {
  at_pacs_study("1.2", 1, "prior", {.name = ""});
  at_pacs_study("1.3", 1, "prior", {.name = "^"});
  at_pacs_study("1.4", 1, "prior", {.birth_date = ""});
  fetch_all();
  EXPECT_EQ(count("SELECT count(*) FROM prefetch_study"), 0);
  EXPECT_EQ(lookups(), 1);
}

TEST_F(PrefetchTest, TheImagesThemselvesSayWhoseTheyAre) {
  prefetch_.policy.studies_max = 9;
  at_pacs_study("1.2", 1, "no name||19800102");
  at_pacs_study("1.3", 1, "no birth date|Roe^Jane|");
  at_pacs_study("1.4", 1, "another's|Roe^Jane|19800103");
  at_pacs_study("1.5", 1, "hers|Roe^Jane|19800102");
  fetch_all();
  EXPECT_EQ(held(), "1.5.1");
  EXPECT_EQ(report_.given_up, 3u);
}

TEST_F(PrefetchTest, WhereThePatientHasNoBirthDateTheNameSays) {
  auto patient = *Json::parse(kPatient);
  patient.set("birthDate", "1980");
  patient.set("meta", Json::object({{"versionId", "2"}}));
  pull(patient.dump());
  at_pacs_study("1.2", 1);
  at_pacs_study("1.3", 1, "prior", {.birth_date = "19810102"});
  fetch_all();
  EXPECT_EQ(held(), "1.2.1");
  EXPECT_EQ(count("SELECT count(*) FROM prefetch_study"), 1);
}

TEST_F(PrefetchTest, AnotherPatientsImagesUnderThePatientsStudyAreNotTaken) {
  register_patient("p2", "P2", "Poe");
  schedule("s1", std::chrono::hours(90), 2);
  schedule("s2", std::chrono::hours(2), 1, "p2");
  // The PACS says it is of P2; the images say P1, who is known here as well.
  at_pacs_study("1.2", 1, "prior", {.name = "Poe", .id = "P2"});
  fetch_all();
  EXPECT_EQ(lookups(), 1);
  EXPECT_EQ(held(), "");
  EXPECT_EQ(count("SELECT count(*) FROM dicom_study"), 0);
  EXPECT_EQ(report_.given_up, 1u);
  EXPECT_EQ(text("SELECT state FROM prefetch_study"), "given_up");
}

TEST_F(PrefetchTest, ImagesOfAWrongWorklistEntryAreLeftAlone) {
  take_in("1.2", "1.2.1", "of the clinic", "verified");
  write([](Connection& c) -> core::Status {
    for (const char* study : {"1.2", "1.3"}) {
      GW_CHECK(
          c.run("INSERT INTO performed_step (sop_instance_uid, state, study_uid, procedure_id,"
                " wrong_entry, calling_ae_title, created_at, changed_at, body)"
                " VALUES ('9.' || ?1, 'DISCONTINUED', ?1, 'x', 1, 'CT1', ?2, ?2, '{}')",
                study, kNow));
    }
    return {};
  });
  at_pacs_study("1.2", 2);
  at_pacs_study("1.3", 1);
  at_pacs_study("1.4", 1);
  fetch_all();
  EXPECT_EQ(held(), "1.2.1,1.4.1");
  EXPECT_EQ(text("SELECT group_concat(study_uid) FROM prefetch_study"), "1.4");
}

TEST_F(PrefetchTest, AnIdThatWouldFindOthersIsNotLookedUp) {
  schedule("s1", std::chrono::hours(90), 2);
  int number = 2;
  for (const char* id : {"P*", "P?", "P1\\P2"}) {
    const std::string patient = core::cat("p", number);
    register_patient(patient, id, "Roe");
    schedule(core::cat("s", number++), std::chrono::hours(2), 1, patient);
  }
  at_pacs_study("1.2", 1);
  fetch_all();
  EXPECT_EQ(lookups(), 0);
  EXPECT_EQ(count("SELECT count(*) FROM prefetch_visit"), 3);
}

TEST_F(PrefetchTest, AnOrderThatBecameAnotherPatientsIsLookedUpAnew) {
  at_pacs_study("1.2", 1);
  fetch_all();
  ASSERT_EQ(held(), "1.2.1");
  register_patient("p2", "P2", "Poe");
  schedule("s1", std::chrono::hours(2), 2, "p2");
  fetch_all();
  EXPECT_EQ(lookups(), 2);
  EXPECT_EQ(text("SELECT patient FROM prefetch_visit"), "p2");
  EXPECT_EQ(count("SELECT count(*) FROM prefetch_study"), 0);
}

}  // namespace
}  // namespace gateway::sync
