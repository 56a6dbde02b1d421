// What modalities tell of performed procedure steps: worklist, Procedure, held images.
#include "sync/performed_step.h"

#include "tests/sync/records_fixture.h"

namespace gateway::sync {
namespace {

constexpr char kStep[] = "1.2.826.0.1.3680043.10.9.1";
constexpr std::string_view kWrongEntryReason =
    R"({"status":"DISCONTINUED","reason":{"value":"110514","scheme":"DCM","meaning":"Incorrect worklist entry selected"}})";

class PerformedStepTest : public RecordsTest {
 protected:
  StepOutcome tell(bool is_new, std::string_view attributes, const std::string& uid = kStep) {
    auto members = Json::parse(attributes);
    EXPECT_TRUE(members.ok()) << members.error().message();
    PerformedStepMessage message;
    message.is_new = is_new;
    message.sop_instance_uid = uid;
    message.attributes = *members;
    message.transfer_syntax_uid = "1.2.840.10008.1.2.1";
    message.data_set = attributes;
    message.calling_ae_title = "CT1";
    message.peer_address = "127.0.0.1";
    const auto outcome = held_->ingest().record(message);
    EXPECT_TRUE(outcome.ok()) << outcome.error().message();
    return *outcome;
  }
  /// The worklist's only step is begun as its answer said.
  std::string begin_scheduled() {
    pull(kPatient);
    pull(kOrder);
    const WorklistStep step = worklist().at(0);
    const Json attributes = Json::object(
        {{"status", "IN PROGRESS"},
         {"stepId", "PPS1"},
         {"modality", "CT"},
         {"startDate", "20260301"},
         {"startTime", "103000"},
         {"patientId", "P1"},
         {"patientName", "Roe^Jane"},
         {"scheduled", Json::array({Json::object({{"studyUid", step.study_instance_uid},
                                                  {"accession", step.accession_number},
                                                  {"stepId", step.step_id}})})}});
    EXPECT_EQ(tell(true, attributes.dump()), StepOutcome::recorded);
    return step.study_instance_uid;
  }
  Json procedure() {
    auto body =
        Json::parse(text("SELECT body FROM resource_version WHERE type = 'Procedure' ORDER BY "
                         "version DESC LIMIT 1"));
    EXPECT_TRUE(body.ok());
    return *body;
  }
};

TEST_F(PerformedStepTest, MovesTheWorklistAndLeavesTheOrderOpen) {
  begin_scheduled();
  EXPECT_EQ(worklist().at(0).status, "STARTED");
  EXPECT_EQ(tell(false, R"({"status":"COMPLETED","endDate":"20260301","endTime":"104500"})"),
            StepOutcome::recorded);
  EXPECT_TRUE(worklist().empty());
  EXPECT_EQ(text("SELECT body FROM resource_version WHERE type = 'ServiceRequest'")
                    .find("\"status\":\"active\"") == std::string::npos,
            false);
  EXPECT_EQ(count("SELECT count(*) FROM resource_version WHERE type = 'ServiceRequest'"), 1);
}

TEST_F(PerformedStepTest, BecomesAProcedureThatIsQueuedOnce) {
  begin_scheduled();
  EXPECT_EQ(procedure()["status"].text(), "in-progress");
  EXPECT_EQ(procedure()["subject"]["reference"].text(), "Patient/p1");
  EXPECT_EQ(procedure()["basedOn"][0]["reference"].text(), "ServiceRequest/s1");
  tell(false, R"({"status":"COMPLETED","endDate":"20260301","endTime":"104500",)"
              R"("dose":{"areaProduct":"1.20"}})");
  EXPECT_EQ(procedure()["status"].text(), "completed");
  EXPECT_EQ(procedure()["performedPeriod"]["end"].text(), "2026-03-01T10:45:00+01:00");
  EXPECT_EQ(procedure()["note"][0]["text"].text(), "Dose: dose area product 1.20 dGy.cm2");
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE subject LIKE 'Procedure/%'"), 1);
}

TEST_F(PerformedStepTest, RefusesWhatDoesNotFitItsState) {
  EXPECT_EQ(tell(false, R"({"status":"COMPLETED"})"), StepOutcome::unknown);
  begin_scheduled();
  EXPECT_EQ(tell(false, R"({"status":"DONE"})"), StepOutcome::not_a_status);
  EXPECT_EQ(tell(true, R"({"status":"IN PROGRESS"})"), StepOutcome::exists);
  EXPECT_EQ(tell(false, R"({"status":"COMPLETED"})"), StepOutcome::recorded);
  EXPECT_EQ(tell(false, R"({"status":"COMPLETED"})"), StepOutcome::ended);
  EXPECT_EQ(count("SELECT count(*) FROM performed_step_message"), 2);
}

TEST_F(PerformedStepTest, TheSameCreationAgainIsALostAnswer) {
  EXPECT_EQ(tell(true, R"({"status":"IN PROGRESS"})"), StepOutcome::recorded);
  EXPECT_EQ(tell(true, R"({"status":"IN PROGRESS"})"), StepOutcome::repeated);
  EXPECT_EQ(count("SELECT count(*) FROM performed_step_message"), 1);
}

TEST_F(PerformedStepTest, AnUnscheduledStepIsKept) {
  EXPECT_EQ(tell(true, R"({"status":"IN PROGRESS","patientId":"WALK-IN"})"), StepOutcome::recorded);
  EXPECT_TRUE(procedure()["subject"]["reference"].text().empty());
  EXPECT_FALSE(procedure()["subject"]["display"].text().empty());
}

TEST_F(PerformedStepTest, ADiscontinuedStepCanBeDoneAgain) {
  begin_scheduled();
  tell(false, R"({"status":"DISCONTINUED"})");
  EXPECT_EQ(worklist().at(0).status, "SCHEDULED");
  EXPECT_EQ(procedure()["status"].text(), "stopped");
}

TEST_F(PerformedStepTest, AWrongWorklistEntryHoldsTheImages) {
  const std::string study = begin_scheduled();
  store(facts(study, "1.2.3.1"), "one");
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE kind = 'instance' AND state = 'waiting'"), 1);
  tell(false, kWrongEntryReason);
  store(facts(study, "1.2.3.2"), "two");
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE kind = 'instance' AND state = 'parked'"), 2);
  EXPECT_EQ(text("SELECT identity FROM dicom_study"), "disputed");
  EXPECT_TRUE(procedure()["subject"]["reference"].text().empty());
  EXPECT_EQ(worklist().size(), 1U);
}

TEST_F(PerformedStepTest, ImagesAfterAWrongEntryAreNobodys) {
  const std::string study = begin_scheduled();
  tell(false, kWrongEntryReason);
  store(facts(study, "1.2.3.1"), "one");
  EXPECT_EQ(text("SELECT identity FROM dicom_study"), "disputed");
  EXPECT_EQ(claim("pacs").rows.size(), 0U);
}

TEST_F(PerformedStepTest, TellsWhetherAllListedImagesAreHeld) {
  const std::string study = begin_scheduled();
  store(facts(study, "1.2.3.1"), "one");
  tell(false, R"({"status":"COMPLETED","series":[{"uid":"1.2.3","instances":)"
              R"([{"uid":"1.2.3.1"},{"uid":"1.2.3.2"}]}]})");
  const auto progress = [&] {
    return *held_->database().read_value<StepProgress>(
        [&](Connection& c) { return step_progress(c, study); });
  };
  EXPECT_EQ(progress().listed, 2);
  EXPECT_EQ(progress().held, 1);
  EXPECT_FALSE(progress().is_running);
  store(facts(study, "1.2.3.2"), "two");
  EXPECT_EQ(progress().held, 2);
  EXPECT_EQ(study_resource()["procedureReference"]["identifier"]["value"].text(),
            core::cat("urn:oid:", kStep));
}

}  // namespace
}  // namespace gateway::sync
