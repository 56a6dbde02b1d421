// Patients that the hospital has merged, and parted again.
#include "sync/merged_patients.h"

#include <gmock/gmock.h>

#include "sync/clinic_edit.h"
#include "sync/fhir/person_name.h"
#include "sync/fhir/resource_rules.h"
#include "sync/identity.h"
#include "sync/outgoing.h"
#include "sync/search.h"
#include "sync/shown_patient.h"
#include "tests/sync/records_fixture.h"

namespace gateway::sync {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const PersonFacts kJane{"Roe^Jane", "19800102", "F"};

class MergedPatientsTest : public RecordsTest {
 protected:
  /// As the hospital has it in that version; `by`: replaced by that one.
  static std::string patient(std::string_view id, int version, std::string_view number,
                             std::string_view family, std::string_view by = {}) {
    const std::string link =
        by.empty() ? std::string()
                   : core::cat(R"("link":[{"type":"replaced-by","other":{"reference":"Patient/)",
                               by, R"("}}],)");
    return core::cat(R"({"resourceType":"Patient","id":")", id, R"(","meta":{"versionId":")",
                     version, R"("},)", link,
                     R"("identifier":[{"system":"urn:oid:2.25.1","value":")", number,
                     R"("}],"name":[{"family":")", family,
                     R"(","given":["Jane"]}],"gender":"female","birthDate":"1980-01-02"})");
  }
  void hospital_says(const std::string& json) { ASSERT_EQ(pull(json), Applied::applied) << json; }
  void put(const ResourceKey& key, std::string_view json) {
    write([&](Connection& c) -> core::Status {
      GW_TRY(const Json body, Json::parse(json));
      GW_TRY(const auto version, put_resource(c, key, body, "clinic", kNow));
      EXPECT_GT(version, 0);
      return {};
    });
  }
  void observe(const std::string& id, std::string_view of) {
    put({"Observation", id},
        core::cat(R"({"resourceType":"Observation","id":")", id,
                  R"(","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/)", of,
                  R"("},"performer":[{"reference":"Patient/)", of, R"("}]})"));
  }
  template <class T>
  T in_transaction(const std::function<core::Result<T>(Connection&)>& body) {
    T out{};
    write([&](Connection& c) -> core::Status {
      GW_TRY(out, body(c));
      return {};
    });
    return out;
  }
  std::vector<std::string> found(std::string_view type, std::string_view query) {
    return in_transaction<std::vector<std::string>>(
        [&](Connection& c) -> core::Result<std::vector<std::string>> {
          GW_TRY(const auto pairs, parse_query_pairs(query));
          GW_TRY(auto parsed, parse_search(type, pairs, {true, ""}));
          GW_CHECK(widen_to_person(c, parsed));
          GW_TRY(SearchPage page, run_search(c, parsed));
          return std::move(page.ids);
        });
  }
  StudyIdentity whose(const std::string& number) {
    const PatientId id{kIssuer, number};
    return in_transaction<StudyIdentity>([&](Connection& c) {
      return match_patient(c, {&id, 1}, kJane);
    });
  }
  /// Patient/id of what would go to `uplink` now.
  std::string sent_for(const std::string& observation, const std::string& uplink = "his") {
    return in_transaction<std::string>([&](Connection& c) -> core::Result<std::string> {
      GW_TRY(const auto outgoing,
             load_outgoing(c, *held_, core::system_clock(), uplink, {"Observation", observation}));
      return std::string(outgoing->resource.body["subject"]["reference"].text());
    });
  }
};

TEST_F(MergedPatientsTest, AllRecordsOfAPersonAreKnownFromEachOfThem) {
  hospital_says(patient("c", 1, "P3", "Roe"));
  hospital_says(patient("b", 1, "P2", "Roe", "c"));
  hospital_says(patient("a", 1, "P1", "Roe", "b"));
  hospital_says(patient("d", 1, "P4", "Roe"));
  const auto records = [&](const std::string& id) {
    return in_transaction<std::vector<std::string>>(
        [&](Connection& c) { return records_of_person(c, id); });
  };
  for (const auto* id : {"a", "b", "c"}) EXPECT_THAT(records(id), ElementsAre("c", "b", "a"));
  EXPECT_THAT(records("d"), ElementsAre("d"));
  EXPECT_THAT(records("unknown"), ElementsAre("unknown"));
}

TEST_F(MergedPatientsTest, ARingOfReplacementsStandsForNobodyElse) {
  hospital_says(patient("a", 1, "P1", "Roe", "b"));
  hospital_says(patient("b", 1, "P2", "Roe", "a"));
  EXPECT_THAT(in_transaction<std::vector<std::string>>(
                  [](Connection& c) { return replacements_of(c, "a"); }),
              ElementsAre("a"));
  observe("o1", "a");
  EXPECT_EQ(sent_for("o1"), "Patient/a");
}

TEST_F(MergedPatientsTest, ASearchForOneRecordFindsWhatIsAboutTheOthersUntilTheyArePartedAgain) {
  hospital_says(patient("b", 1, "P2", "Roe"));
  hospital_says(patient("a", 1, "P1", "Roe"));
  observe("o1", "a");
  observe("o2", "b");
  EXPECT_THAT(found("Observation", "patient=b"), ElementsAre("o2"));
  hospital_says(patient("a", 2, "P1", "Roe", "b"));
  for (const auto* query : {"patient=b", "patient=a", "subject=Patient/b",
                            "patient.identifier=urn:oid:2.25.1|P2", "subject:Patient.name=roe"}) {
    EXPECT_THAT(found("Observation", query), ElementsAre("o1", "o2")) << query;
  }
  EXPECT_THAT(found("Observation", "patient.identifier=P9"), IsEmpty());
  EXPECT_THAT(found("Patient", "identifier=P2"), ElementsAre("b"));
  hospital_says(patient("a", 3, "P1", "Roe"));
  EXPECT_THAT(found("Observation", "patient=b"), ElementsAre("o2"));
}

TEST_F(MergedPatientsTest, AnIdOfTwoRecordsOfOnePersonIsNoDispute) {
  hospital_says(patient("b", 1, "P1", "Roe"));
  hospital_says(patient("a", 1, "P1", "Roe"));
  EXPECT_EQ(whose("P1").state, "disputed");
  hospital_says(patient("a", 2, "P1", "Roe", "b"));
  const StudyIdentity merged = whose("P1");
  EXPECT_EQ(merged.state, "linked") << merged.reason;
  // To the one that may be parted again.
  EXPECT_EQ(merged.patient, "a");
  hospital_says(patient("a", 3, "P1", "Roe"));
  EXPECT_EQ(whose("P1").state, "disputed");
}

TEST_F(MergedPatientsTest, WhoWasRenamedByAMergeIsKnownByEitherName) {
  hospital_says(patient("b", 1, "P2", "Doe"));
  hospital_says(patient("a", 1, "P1", "Roe", "b"));
  EXPECT_EQ(whose("P1").state, "linked");
  EXPECT_EQ(whose("P2").state, "disputed");
}

TEST_F(MergedPatientsTest, WhatWaitsGoesToTheOneWhoStays) {
  hospital_says(patient("b", 1, "P2", "Roe"));
  hospital_says(patient("a", 1, "P1", "Roe"));
  observe("o1", "a");
  EXPECT_EQ(sent_for("o1"), "Patient/a");
  hospital_says(patient("a", 2, "P1", "Roe", "b"));
  EXPECT_EQ(sent_for("o1"), "Patient/b");
  EXPECT_EQ(text("SELECT body FROM resource_version WHERE id = 'o1' AND version = 2"),
            R"({"resourceType":"Observation","id":"o1","status":"final","code":{"text":"x"},)"
            R"("subject":{"reference":"Patient/b"},"performer":[{"reference":"Patient/a"}]})");
  EXPECT_EQ(count("SELECT count(*) FROM audit WHERE action = 'follow-merge' AND"
                  " patient = 'Patient/b' AND source = 'Patient/a'"),
            1);
}

TEST_F(MergedPatientsTest, WhatTheHospitalHasItAimsItself) {
  hospital_says(patient("b", 1, "P2", "Roe"));
  hospital_says(patient("a", 1, "P1", "Roe", "b"));
  observe("o1", "a");
  write([](Connection& c) { return put_base(c, "his", {"Observation", "o1"}, {"1", 1}); });
  EXPECT_EQ(sent_for("o1"), "Patient/a");
}

TEST_F(MergedPatientsTest, AStudyGoesToTheOneWhoStaysHoweverOftenItIsMade) {
  hospital_says(patient("b", 1, "P2", "Roe"));
  hospital_says(patient("a", 1, "P1", "Roe"));
  store(facts("1.2.3", "1.2.3.1"), "pixels");
  hospital_says(patient("a", 2, "P1", "Roe", "b"));
  const ResourceKey study{"ImagingStudy", text("SELECT imaging_study_id FROM dicom_study")};
  const auto sent_for_whom = [&] {
    return in_transaction<std::string>([&](Connection& c) -> core::Result<std::string> {
      GW_TRY(const auto outgoing, load_outgoing(c, *held_, core::system_clock(), "his", study));
      return std::string(outgoing->resource.body["subject"]["reference"].text());
    });
  };
  EXPECT_EQ(sent_for_whom(), "Patient/b");
  const std::int64_t versions = count("SELECT count(*) FROM resource_version");
  write([&](Connection& c) { return put_base(c, "his", study, {"1", 1}); });
  EXPECT_EQ(sent_for_whom(), "Patient/b");
  EXPECT_EQ(count("SELECT count(*) FROM resource_version"), versions);
}

TEST_F(MergedPatientsTest, AMergeOnlyTheClinicSaysIsNotFollowedOnTheWayOut) {
  hospital_says(patient("b", 1, "P2", "Roe"));
  hospital_says(patient("a", 1, "P1", "Roe"));
  put({"Patient", "a"}, patient("a", 1, "P1", "Roe", "b"));
  observe("o1", "a");
  EXPECT_EQ(sent_for("o1"), "Patient/a");
  // Another hospital was never told of either.
  EXPECT_EQ(sent_for("o1", "district"), "Patient/a");
}

TEST_F(MergedPatientsTest, OneRegisteredHereWithTheHospitalsIdentifierIsProposedOnce) {
  put({"Patient", "ours"}, patient("ours", 1, "P1", "Roe"));
  hospital_says(patient("other", 1, "P2", "Roe"));
  EXPECT_EQ(count("SELECT count(*) FROM resource WHERE type = 'Task'"), 0);
  hospital_says(patient("theirs", 1, "P1", "Roe"));
  const auto parsed = Json::parse(text("SELECT body FROM resource_version WHERE type = 'Task'"));
  ASSERT_TRUE(parsed.ok());
  const Json& task = *parsed;
  EXPECT_EQ(task["code"]["text"].text(), "merge patients");
  EXPECT_EQ(task["focus"]["reference"].text(), "Patient/theirs");
  EXPECT_EQ(task["input"][std::size_t{0}]["valueReference"]["reference"].text(), "Patient/ours");
  EXPECT_TRUE(check_resource("Task", task).ok());
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE subject LIKE 'Task/%'"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM audit WHERE action = 'propose-merge'"), 1);
  hospital_says(patient("theirs", 2, "P1", "Rowe"));
  EXPECT_EQ(count("SELECT count(*) FROM resource WHERE type = 'Task'"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM resource_version WHERE type = 'Patient' AND id = 'ours'"),
            1);
}

TEST_F(MergedPatientsTest, WhoTheHospitalHasMergedOrKeepsTwiceItselfIsNotProposed) {
  put({"Patient", "ours"}, patient("ours", 1, "P1", "Roe"));
  hospital_says(patient("ours", 2, "P1", "Roe", "theirs"));
  hospital_says(patient("theirs", 1, "P1", "Roe"));
  hospital_says(patient("twice", 1, "P7", "Roe"));
  hospital_says(patient("thrice", 1, "P7", "Roe"));
  EXPECT_EQ(count("SELECT count(*) FROM resource WHERE type = 'Task'"), 0);
}

TEST_F(MergedPatientsTest, TheWorklistShowsTheOneWhoStays) {
  hospital_says(patient("a", 1, "P1", "Roe"));
  hospital_says(patient("b", 1, "P2", "Rowe"));
  std::string order(kOrder);
  order.replace(order.find("Patient/p1"), 10, "Patient/a");
  hospital_says(order);
  ASSERT_EQ(worklist().size(), 1u);
  EXPECT_EQ(worklist()[0].patient_id, "P1");
  hospital_says(patient("a", 2, "P1", "Roe", "b"));
  EXPECT_EQ(worklist()[0].patient_id, "P2");
  EXPECT_EQ(worklist()[0].patient_name, "Rowe^Jane");
  WorklistSelection by_name;
  by_name.name = fhir::pn_search_key("Rowe*");
  EXPECT_EQ(worklist(by_name).size(), 1u);
  hospital_says(patient("b", 2, "P2", "Rau"));
  EXPECT_EQ(worklist()[0].patient_name, "Rau^Jane") << "a correction of the one who stays";
  hospital_says(patient("a", 3, "P1", "Roe"));
  EXPECT_EQ(worklist()[0].patient_id, "P1") << "and undone";
}

TEST_F(MergedPatientsTest, AMessageAboutAPatientReachesTheWorklist) {
  hospital_says(std::string(kPatient));
  hospital_says(std::string(kOrder));
  IncomingMessage message;
  message.device = "reception";
  message.control_id = "1";
  message.bytes = "ADT";
  message.patient.ids = {{kIssuer, "P1"}};
  message.patient.facts = kJane;
  message.patient.is_told = message.patient.updates = true;
  message.patient.draft.body = *Json::parse(
      R"({"resourceType":"Patient","name":[{"family":"Roe","given":["Jane","Ann"]}]})");
  const auto taken = held_->intake().take_now(message);
  ASSERT_TRUE(taken.ok()) << taken.error().message();
  ASSERT_EQ(taken->outcome, Taken::Outcome::stored) << taken->reason;
  EXPECT_EQ(worklist()[0].patient_name, "Roe^Jane^Ann");
}

TEST_F(MergedPatientsTest, OneEnteredHereWithTheIdentifierOfARecordHeldAlreadyIsProposedOnce) {
  hospital_says(patient("theirs", 1, "P1", "Roe"));
  const std::vector<std::string> uplinks{"his"};
  const Editing editing{held_->audit(), core::system_clock(), held_->options().worklist,
                        uplinks,        "client:app",         "127.0.0.1"};
  const auto enter = [&](const std::string& id, const std::string& family) {
    write([&](Connection& c) -> core::Status {
      GW_TRY(const Json body, Json::parse(patient(id, 1, "P1", family)));
      GW_CHECK(store_edit(c, editing, {"Patient", id}, body, "create"));
      return {};
    });
  };
  enter("ours", "Roe");
  enter("ours", "Rowe");
  EXPECT_EQ(count("SELECT count(*) FROM resource WHERE type = 'Task'"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE subject LIKE 'Task/%' AND uplink = 'his'"), 1);
  EXPECT_EQ(text("SELECT source FROM audit WHERE action = 'propose-merge'"), "Patient/ours");
  // The hospital's own record, edited here, is no second one.
  enter("theirs", "Rowe");
  EXPECT_EQ(count("SELECT count(*) FROM resource WHERE type = 'Task'"), 1);
}

}  // namespace
}  // namespace gateway::sync
