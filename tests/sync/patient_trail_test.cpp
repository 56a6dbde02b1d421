// What leaves for an uplink is in the audit trail, by study and resource and with its patient.
#include "sync/patient_trail.h"

#include "tests/sync/records_fixture.h"

namespace gateway::sync {
namespace {

class PatientTrailTest : public RecordsTest {
 protected:
  std::vector<Verdict> all_done(const std::string& uplink) {
    std::vector<Verdict> verdicts;
    write([&](Connection& c) -> core::Status {
      GW_TRY(auto rows, c.query("SELECT number FROM outbox WHERE uplink = ?", uplink));
      while (true) {
        GW_TRY(const bool more, rows.next());
        if (!more) return {};
        Verdict verdict;
        verdict.number = rows.integer(0);
        verdict.what = Verdict::What::done;
        verdicts.push_back(std::move(verdict));
      }
    });
    return verdicts;
  }
  std::string trail(const std::string& uplink, const std::vector<Verdict>& verdicts) {
    write([&](Connection& c) {
      return trail_sent(c, held_->audit(), uplink, verdicts, core::system_clock().wall());
    });
    return text(
        core::cat("SELECT group_concat(line, '; ') FROM (SELECT resource || ' ' || patient ||"
                  " ' ' || outcome AS line FROM audit WHERE action = 'send' AND actor ="
                  " 'uplink:",
                  uplink, "' ORDER BY seq)"));
  }
};

TEST_F(PatientTrailTest, AStudyIsOneRowHoweverManyOfItsImagesWentAtOnce) {
  store(facts("1.2", "1.2.1"), "first");
  store(facts("1.2", "1.2.2"), "second");
  const auto study = held_->database().read_value<TrailedStudy>(
      [](Connection& c) { return trail_study(c, "1.2"); });
  ASSERT_TRUE(study.ok());
  EXPECT_TRUE(study->patient.starts_with("Patient/")) << study->patient;
  EXPECT_EQ(trail("pacs", all_done("pacs")),
            core::cat(study->resource, ' ', study->patient, " 2 instances"));
}

TEST_F(PatientTrailTest, AResourceNamesItsPatient) {
  store(facts("1.2", "1.2.1"), "first");
  const std::string rows = trail("his", all_done("his"));
  const std::string patient = text("SELECT 'Patient/' || patient FROM dicom_study");
  EXPECT_NE(rows.find(core::cat(patient, ' ', patient, " success")), std::string::npos) << rows;
}

TEST_F(PatientTrailTest, WhatIsDroppedDidNotLeave) {
  store(facts("1.2", "1.2.1"), "first");
  auto verdicts = all_done("his");
  for (Verdict& verdict : verdicts) verdict.what = Verdict::What::drop;
  EXPECT_EQ(trail("his", verdicts), "<none>");
  write([&](Connection& c) { return record_verdicts(c, "his", verdicts, kNow); });
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE uplink = 'his'"), 0);
  EXPECT_EQ(count("SELECT count(*) FROM uplink_success"), 0);
  EXPECT_EQ(count("SELECT count(*) FROM resource_base"), 0);
}

TEST_F(PatientTrailTest, WhatIsParkedDidNotLeave) {
  store(facts("1.2", "1.2.1"), "first");
  auto verdicts = all_done("pacs");
  verdicts.at(0).what = Verdict::What::park;
  EXPECT_EQ(trail("pacs", verdicts), "<none>");
}

}  // namespace
}  // namespace gateway::sync
