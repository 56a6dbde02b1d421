// What is taken and becomes nothing: results of controls, and answers that nobody waits for.
#include <gmock/gmock.h>

#include "tests/adapters/hl7/hl7_fixture.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using Outcome = sync::Taken::Outcome;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Hl7Controls : public Hl7Test {
 protected:
  /// SPM with role (SPM-11), its order and a critical result.
  static std::string group(std::string_view specimen, std::string_view role) {
    return cat("SPM|1|", specimen, "||SER|||||||", role, "\rOBR|1|||K\r",
               "OBX|1|NM|2823-3^K^LN||7.9|mmol/L||HH|||F\r");
  }
  std::int64_t criticals() { return count("SELECT count(*) FROM critical_result"); }
};

TEST_F(Hl7Controls, AControlIsKeptAndIsNobodysResultAndNoAlarm) {
  for (const char* role : {"Q^Control specimen^HL70369", "C", "V"}) {
    const auto taken = take(cat(header("OUL^R22", role), group("QC1", role)));
    EXPECT_EQ(taken.outcome, Outcome::stored) << taken.reason;
    EXPECT_THAT(taken.answer, HasSubstr("MSA|AA"));
  }
  take(cat(header("OUL^R22", "named"), "PID|1||QC^^^^MR||Level^Two\r", group("QC1", "Q")));
  EXPECT_EQ(count("SELECT count(*) FROM resource"), 0);
  EXPECT_EQ(criticals(), 0);
  EXPECT_EQ(count("SELECT count(*) FROM message m JOIN message_raw USING (number)"
                  " WHERE state = 'stored' AND kind = 'OUL^R22 control'"),
            4);
  EXPECT_TRUE(read_message(cat(header("OUL^R22", "1"), group("QC1", "Q")), device_, "192.0.2.7",
                           core::system_clock())
                  .is_control);
}

TEST_F(Hl7Controls, ThePatientsResultBesideAControlIsTaken) {
  take(cat(header("OUL^R22", "1"), kPid, group("QC1", "Q"), group("S1", "P")));
  EXPECT_EQ(resources("Observation"), 1);
  EXPECT_EQ(resources("Specimen"), 1);
  EXPECT_EQ(criticals(), 1);
  EXPECT_EQ(count("SELECT count(*) FROM message WHERE kind = 'OUL^R22'"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM mapping_gap WHERE system = 'HL70369' AND code = 'Q'"), 1);
}

TEST_F(Hl7Controls, AMessageMarkedAsATrainingIsCounted) {
  std::string message = oru("1", "5.0");
  message.replace(message.find("|P|2.5.1"), 2, "|T");
  EXPECT_EQ(take(message).outcome, Outcome::stored);
  EXPECT_EQ(count("SELECT count(*) FROM mapping_gap WHERE system = 'HL70103' AND code = 'T'"), 1);
}

TEST_F(Hl7Controls, AnAnswerIsTakenAndNotAnswered) {
  for (const char* type : {"ACK^R01^ACK", "ACK", "ORL^O34^ORL_O34"}) {
    const auto taken = take(cat(header(type, type), "MSA|AR|7|no such message\r"));
    EXPECT_EQ(taken.outcome, Outcome::stored) << type;
    EXPECT_THAT(taken.answer, IsEmpty()) << type;
  }
  EXPECT_EQ(count("SELECT count(*) FROM message WHERE state = 'dead'"), 0);
  EXPECT_EQ(count("SELECT sum(count) FROM mapping_gap WHERE what = 'segment' AND code = 'MSA'"), 3);
}

TEST_F(Hl7Controls, ResultsInAnAnswerWaitForAPerson) {
  const auto taken = take(cat(header("ORF^R04", "1"), "MSA|AA|7\r", kPid,
                              "OBR|1|PL1|FI1|24323-8^Panel^LN\rOBX|1|NM|2345-7^Glucose^LN||5.0\r"));
  EXPECT_EQ(taken.outcome, Outcome::dead);
  EXPECT_THAT(taken.reason, HasSubstr("ORF^R04"));
  EXPECT_THAT(taken.answer, HasSubstr("MSA|AR"));
}

}  // namespace
}  // namespace gateway::adapters::hl7
