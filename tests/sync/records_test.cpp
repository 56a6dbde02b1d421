// Ingest, outbox, identity, worklist and pull against the real database and sealed objects.
#include "sync/review.h"
#include "tests/sync/records_fixture.h"

namespace gateway::sync {
namespace {

TEST_F(RecordsTest, AStoredInstanceIsQueuedForThePacsAndItsStudyAndPatientForTheHis) {
  EXPECT_EQ(store(facts("1.2", "1.2.3"), "pixels"), StoreOutcome::stored);
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE uplink = 'pacs' AND kind = 'instance'"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE uplink = 'his' AND subject LIKE 'Patient/%'"),
            1);
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE uplink = 'his' AND subject LIKE "
                  "'ImagingStudy/%' AND needs IS NOT NULL"),
            1);
  EXPECT_EQ(text("SELECT identity FROM dicom_study"), "provisional");
  EXPECT_EQ(count("SELECT count(*) FROM audit"), 1);
}

TEST_F(RecordsTest, TheSameBytesAgainAreSuccessAndStoreNothing) {
  store(facts("1.2", "1.2.3"), "pixels");
  EXPECT_EQ(store(facts("1.2", "1.2.3"), "pixels"), StoreOutcome::repeated);
  EXPECT_EQ(count("SELECT count(*) FROM dicom_instance"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE kind = 'instance'"), 1);
}

TEST_F(RecordsTest, OtherBytesUnderTheSameUidAreKeptAndFlagged) {
  store(facts("1.2", "1.2.3"), "pixels");
  EXPECT_EQ(store(facts("1.2", "1.2.3"), "other pixels"), StoreOutcome::other_copy);
  EXPECT_EQ(count("SELECT count(*) FROM dicom_instance"), 2);
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE kind = 'instance' AND state = 'parked'"), 1);
  EXPECT_EQ(study_resource()["numberOfInstances"].integer(), 1);
}

TEST_F(RecordsTest, ManyInstancesOfAStudyMakeOneImagingStudyRow) {
  for (int i = 1; i <= 5; ++i) store(facts("1.2", core::cat("1.2.3.", i)), core::cat("pixels ", i));
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE subject LIKE 'ImagingStudy/%'"), 1);
  const Json study = study_resource();
  EXPECT_EQ(study["numberOfInstances"].integer(), 5);
  EXPECT_EQ(study["identifier"][std::size_t{0}]["value"].text(), "urn:oid:1.2");
  EXPECT_EQ(study["started"].text(), "2026-03-01T09:15:00+01:00");
}

TEST_F(RecordsTest, AKnownPatientIsLinkedOnlyWhenNameBirthDateAndSexAgree) {
  pull(kPatient);
  store(facts("1.2", "1.2.3"), "pixels");
  EXPECT_EQ(text("SELECT identity || ' ' || patient FROM dicom_study WHERE study_uid = '1.2'"),
            "linked p1");
  auto other = facts("1.9", "1.9.3");
  other.birth_date = "19700102";
  store(other, "more pixels");
  EXPECT_EQ(text("SELECT identity || patient FROM dicom_study WHERE study_uid = '1.9'"),
            "disputed");
  EXPECT_EQ(text("SELECT identity_reason FROM dicom_study WHERE study_uid = '1.9'"),
            "the patient id is known, but birth date differ");
}

TEST_F(RecordsTest, WithoutAPatientIdNobodyIsGuessed) {
  pull(kPatient);
  auto anonymous = facts("1.2", "1.2.3");
  anonymous.patient_id = "";
  store(anonymous, "pixels");
  EXPECT_EQ(text("SELECT identity || patient FROM dicom_study"), "unassigned");
  EXPECT_TRUE(study_resource()["subject"]["reference"].is_null());
}

TEST_F(RecordsTest, AnotherIssuersSameNumberIsAnotherPatient) {
  pull(kPatient);
  auto elsewhere = facts("1.2", "1.2.3");
  elsewhere.patient_id_issuer = "OTHER HOSPITAL";
  store(elsewhere, "pixels");
  EXPECT_EQ(text("SELECT identity FROM dicom_study"), "provisional");
}

TEST_F(RecordsTest, ImagesOfTwoPatientsInOneStudyPutItInDispute) {
  store(facts("1.2", "1.2.3"), "pixels");
  auto second = facts("1.2", "1.2.4");
  second.patient_id = "P2";
  store(second, "more pixels");
  EXPECT_EQ(text("SELECT identity || patient FROM dicom_study"), "disputed");
}

TEST_F(RecordsTest, AClaimMarksRowsAndADoneRowLeavesItsDelivery) {
  store(facts("1.2", "1.2.3"), "pixels");
  const Claim claimed = claim("pacs");
  ASSERT_EQ(claimed.rows.size(), 1u);
  EXPECT_TRUE(claim("pacs").rows.empty());
  Verdict done;
  done.what = Verdict::What::done;
  done.number = claimed.rows[0].number;
  record("pacs", done);
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE uplink = 'pacs'"), 0);
  EXPECT_EQ(text("SELECT proof FROM dicom_delivery"), "stored");
}

TEST_F(RecordsTest, ARowWaitsForTheRowItNeeds) {
  store(facts("1.2", "1.2.3"), "pixels");
  const Claim first = claim("his");
  ASSERT_EQ(first.rows.size(), 1u);
  EXPECT_TRUE(first.rows[0].subject.starts_with("Patient/"));
  Verdict done;
  done.what = Verdict::What::done;
  done.number = first.rows[0].number;
  done.remote_version = "1";
  done.local_version = 1;
  record("his", done);
  const Claim second = claim("his");
  ASSERT_EQ(second.rows.size(), 1u);
  EXPECT_TRUE(second.rows[0].subject.starts_with("ImagingStudy/"));
}

TEST_F(RecordsTest, AParkedRowHoldsBackOnlyWhatNeedsItAndCanBeRetried) {
  store(facts("1.2", "1.2.3"), "pixels");
  const Claim first = claim("his");
  Verdict parked;
  parked.what = Verdict::What::park;
  parked.number = first.rows[0].number;
  parked.reason = "422";
  record("his", parked);
  EXPECT_TRUE(claim("his").rows.empty());
  EXPECT_EQ(claim("pacs").rows.size(), 1u);
  write([](Connection& c) -> core::Status {
    GW_TRY(const std::int64_t retried, retry_parked(c, 0));
    EXPECT_EQ(retried, 1);
    return {};
  });
  EXPECT_EQ(claim("his").rows.size(), 1u);
}

TEST_F(RecordsTest, AStudyThatGrowsWhileItIsSentIsQueuedAgainAndARestartFoldsBothRows) {
  auto known = facts("1.2", "1.2.3");
  pull(kPatient);
  store(known, "pixels");
  ASSERT_EQ(claim("his").rows.size(), 1u);
  store(facts("1.2", "1.2.4"), "more pixels");
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE uplink = 'his'"), 2);
  EXPECT_TRUE(claim("his").rows.empty());  // one at a time for one resource
  write(release_claims);
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE uplink = 'his'"), 1);
  EXPECT_EQ(count("SELECT perhaps_sent FROM outbox WHERE uplink = 'his'"), 1);
}

TEST_F(RecordsTest, EverythingAcknowledgedIsThereAfterReopening) {
  store(facts("1.2", "1.2.3"), "pixels");
  open();
  const std::string object = text("SELECT object_id FROM dicom_instance");
  auto reader = held_->objects().open_object(object);
  ASSERT_TRUE(reader.ok()) << reader.error().message();
  std::string bytes(6, '\0');
  ASSERT_TRUE((*reader)->read(0, std::as_writable_bytes(std::span(bytes))).ok());
  EXPECT_EQ(bytes, "pixels");
}

TEST_F(RecordsTest, AnOrderBecomesAWorklistStepInTheSitesTime) {
  EXPECT_EQ(pull(kPatient), Applied::applied);
  EXPECT_EQ(pull(kOrder), Applied::applied);
  const auto steps = worklist();
  ASSERT_EQ(steps.size(), 1u);
  EXPECT_EQ(steps[0].accession_number, "ACC-7");
  EXPECT_EQ(steps[0].start_date + steps[0].start_time, "20260301103000");
  EXPECT_EQ(steps[0].modality, "CT");
  EXPECT_EQ(steps[0].priority, "STAT");
  EXPECT_EQ(steps[0].patient_id, "P1");
  EXPECT_EQ(steps[0].patient_name, "Roe^Jane");
  EXPECT_EQ(steps[0].procedure_description, "CT of the chest");
  EXPECT_EQ(steps[0].procedure_scheme, "LN");
  WorklistSelection selection;
  selection.date_from = "20260302";
  EXPECT_TRUE(worklist(selection).empty());
  selection.date_from = selection.date_to = "20260301";
  selection.modality = "CT";
  EXPECT_EQ(worklist(selection).size(), 1u);
  selection.modality = "MR";
  EXPECT_TRUE(worklist(selection).empty());
}

TEST_F(RecordsTest, UidsOfAStepNeverChangeAndAClosedOrderLeavesTheWorklist) {
  pull(kPatient);
  pull(kOrder);
  const auto before = worklist();
  std::string changed(kOrder);
  changed.replace(changed.find("\"versionId\":\"1\""), 15, "\"versionId\":\"2\"");
  changed.replace(changed.find("CT of the chest"), 15, "CT of the heart");
  EXPECT_EQ(pull(changed), Applied::applied);
  const auto after = worklist();
  EXPECT_EQ(after[0].study_instance_uid, before[0].study_instance_uid);
  EXPECT_EQ(after[0].procedure_description, "CT of the heart");
  changed.replace(changed.find("\"versionId\":\"2\""), 15, "\"versionId\":\"3\"");
  changed.replace(changed.find("\"active\""), 8, "\"revoked\"");
  pull(changed);
  EXPECT_TRUE(worklist().empty());
}

TEST_F(RecordsTest, ThePatientsCorrectedNameShowsInTheWorklist) {
  pull(kPatient);
  pull(kOrder);
  std::string corrected(kPatient);
  corrected.replace(corrected.find("\"versionId\":\"1\""), 15, "\"versionId\":\"2\"");
  corrected.replace(corrected.find("Roe"), 3, "Doe");
  pull(corrected);
  EXPECT_EQ(worklist()[0].patient_name, "Doe^Jane");
}

TEST_F(RecordsTest, ALaboratoryOrderIsNotOnTheWorklist) {
  pull(kPatient);
  std::string lab(kOrder);
  lab.replace(lab.find("363679005"), 9, "108252007");
  lab.replace(lab.find("http://dicom.nema.org/resources/ontology/DCM"), 44, "http://loinc.org");
  pull(lab);
  EXPECT_TRUE(worklist().empty());
}

TEST_F(RecordsTest, ImagesThatAnswerAWorklistStepAreLinkedToItsOrder) {
  pull(kPatient);
  pull(kOrder);
  auto answer = facts(worklist()[0].study_instance_uid, "1.2.3");
  store(answer, "pixels");
  const Json study = study_resource();
  EXPECT_EQ(study["subject"]["reference"].text(), "Patient/p1");
  EXPECT_EQ(study["basedOn"][std::size_t{0}]["reference"].text(), "ServiceRequest/s1");
}

TEST_F(RecordsTest, ImagesOfAnotherPatientUnderAStepsStudyAreDisputed) {
  pull(kPatient);
  pull(kOrder);
  auto answer = facts(worklist()[0].study_instance_uid, "1.2.3");
  answer.patient_id = "P2";
  store(answer, "pixels");
  EXPECT_EQ(text("SELECT identity FROM dicom_study"), "disputed");
}

TEST_F(RecordsTest, TheSameVersionTwiceIsOneVersion) {
  EXPECT_EQ(pull(kPatient), Applied::applied);
  EXPECT_EQ(pull(kPatient), Applied::unchanged);
  EXPECT_EQ(count("SELECT count(*) FROM resource_version"), 1);
}

TEST_F(RecordsTest, APulledVersionIsMergedWithOneThatStillHasToGo) {
  store(facts("1.2", "1.2.3"), "pixels");
  const std::string id = text("SELECT id FROM resource WHERE type = 'Patient'");
  const std::string theirs =
      core::cat(R"({"resourceType":"Patient","id":")", id,
                R"(","meta":{"versionId":"9"},"gender":"male","photo":[{"url":"p"}]})");
  EXPECT_EQ(pull(theirs), Applied::applied);
  // The hospital keeps the identity; what the clinic has becomes a proposal, and nothing is gone.
  const ResourceKey key{"Patient", id};
  auto shown = held_->database().read_value<std::optional<StoredResource>>(
      [&](Connection& c) { return read_resource(c, key); });
  ASSERT_TRUE(shown.ok() && *shown);
  EXPECT_EQ((*shown)->body["gender"].text(), "male");
  auto reviews =
      held_->database().read_value<Json>([](Connection& c) { return reviews_report(c, 10); });
  ASSERT_TRUE(reviews.ok());
  ASSERT_EQ(reviews->size(), 1u);
  EXPECT_EQ((*reviews)[std::size_t{0}]["state"].text(), "open");
  const std::int64_t number = *(*reviews)[std::size_t{0}]["number"].integer();
  auto review =
      held_->database().read_value<Json>([&](Connection& c) { return review_report(c, number); });
  ASSERT_TRUE(review.ok());
  EXPECT_EQ((*review)["ours"]["gender"].text(), "female");
  EXPECT_EQ((*review)["theirs"]["gender"].text(), "male");
}

TEST_F(RecordsTest, APersonTakesTheLosingValueBackInOneAction) {
  store(facts("1.2", "1.2.3"), "pixels");
  const std::string id = text("SELECT id FROM resource WHERE type = 'Patient'");
  pull(core::cat(R"({"resourceType":"Patient","id":")", id,
                 R"(","meta":{"versionId":"9"},"gender":"male"})"));
  const auto number = count("SELECT number FROM review WHERE state = 'open'");
  const auto take_ours = [&](Connection& c, const char* group) {
    ReviewAnswer answer;
    answer.groups[group].take = GroupAnswer::Take::ours;
    return decide_review(c, deciding("user:nurse"), number, answer);
  };
  EXPECT_EQ(held_->database()
                .write([&](Connection& c) { return take_ours(c, "no such"); })
                .error()
                .code(),
            core::Code::invalid);
  write([&](Connection& c) { return take_ours(c, "identity"); });
  EXPECT_EQ(text("SELECT state FROM review"), "decided");
  EXPECT_NE(text("SELECT body FROM resource_version WHERE type = 'Patient' ORDER BY version DESC")
                .find("\"female\""),
            std::string::npos);
  EXPECT_EQ(count(core::cat("SELECT count(*) FROM outbox WHERE subject = 'Patient/", id, "'")), 1);
  EXPECT_EQ(text("SELECT actor FROM audit WHERE action = 'decide'"), "user:nurse");
}

TEST_F(RecordsTest, ReportsCountWhatWaitsAndWhatIsDelivered) {
  store(facts("1.2", "1.2.3"), "pixels");
  auto health = held_->database().read_value<Json>(
      [](Connection& c) { return health_report(c, "2100-01-01T00:00:00.000Z"); });
  ASSERT_TRUE(health.ok());
  EXPECT_EQ((*health)["waiting"].integer(), 3);
  EXPECT_GT((*health)["oldest_age_s"].integer().value_or(0), 1'000'000);
  EXPECT_EQ(health->dump().find("Roe"), std::string::npos);
  auto studies =
      held_->database().read_value<Json>([](Connection& c) { return studies_report(c, 10); });
  ASSERT_TRUE(studies.ok());
  EXPECT_EQ((*studies)[std::size_t{0}]["instances"].integer(), 1);
  EXPECT_EQ((*studies)[std::size_t{0}]["delivered"].integer(), 0);
}

}  // namespace
}  // namespace gateway::sync
