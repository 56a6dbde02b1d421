// Whose a message is: several patients in one, and what a sender writes of a person.
#include <gmock/gmock.h>

#include "tests/adapters/hl7/hl7_fixture.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using Outcome = sync::Taken::Outcome;
using ::testing::HasSubstr;

class Hl7Patients : public Hl7Test {
 protected:
  static std::string order(std::string_view control, std::string_view id) {
    return cat("ORC|", control, "|", id, "\rOBR|1|", id, "||GLU\r");
  }
  sync::Taken orders(std::string_view id, std::string_view second) {
    return take(cat(header("ORM^O01", id), kPid, order("NW", cat("A", id)), second,
                    order("NW", cat("B", id))));
  }
};

constexpr std::string_view kOther = "PID|2||P2^^^^MR||Poe^John||19750404|M\r";

TEST_F(Hl7Patients, AnOrderBehindAnotherPatientIsNobodys) {
  const auto taken = orders("1", kOther);
  EXPECT_EQ(taken.outcome, Outcome::dead);
  EXPECT_THAT(taken.reason, HasSubstr("several patients"));
  EXPECT_THAT(taken.answer, HasSubstr("MSA|AE|1"));
  EXPECT_EQ(resources("ServiceRequest"), 0);
  EXPECT_EQ(resources("Patient"), 0);
}

TEST_F(Hl7Patients, AnotherPersonIsWhoeverIsNotSaidToBeTheSame) {
  EXPECT_EQ(orders("1", "PID|2||P1^^^^MR||Poe^John||19800102|F\r").outcome, Outcome::dead)
      << "another name";
  EXPECT_EQ(orders("2", "PID|2||P1^^^^MR||Roe^Jane||19810102|F\r").outcome, Outcome::dead)
      << "another birth date";
  EXPECT_EQ(orders("3", "PID|2||||Roe^Jane||19800102|F\r").outcome, Outcome::dead) << "no id";
  EXPECT_EQ(orders("4", "PID|2||P1^^^OTHER^MR~P1^^^^MR||ROE^JANE\r").outcome, Outcome::stored);
  EXPECT_EQ(resources("ServiceRequest"), 2);
}

TEST_F(Hl7Patients, EarlierResultsOfAnotherRecordMayBeQuotedBehindTheLastOrder) {
  EXPECT_EQ(take(cat(header("OML^O21", "1"), kPid, order("NW", "A"), kOther, order("PR", "OLD"),
                     order("RE", "OLD2")))
                .outcome,
            Outcome::stored);
  EXPECT_EQ(resources("ServiceRequest"), 1);
}

TEST_F(Hl7Patients, WithoutAnIdASecondPatientTakesNothingFromTheFirst) {
  const std::string_view nameless = "PID|2||||Doe^John\r";
  const std::string obx = "OBR|1|PL1|FI1|K\rOBX|1|NM|2823-3^K^LN||4.1|mmol/L|||||F\r";
  const std::vector<std::string> messages{
      cat(header("OUL^R22", "1"), kPid, "SPM|1|S1||SER\r", nameless, obx),
      cat(header("VXU^V04", "2"), kPid, nameless, "RXA|0|1|20260301||03^MMR^CVX|0.5|mL\r"),
      cat(header("SIU^S12", "3"), "SCH|A1|B1\r", kPid, nameless),
      cat(header("MDM^T02", "4"), kPid, nameless, "TXA|1|CN\rOBX|1|TX|||Text\r"),
      cat(header("REF^I12", "5"), "RF1||R||||R1\r", kPid, nameless)};
  for (const std::string& message : messages) {
    const auto taken = take(message);
    EXPECT_EQ(taken.outcome, Outcome::dead) << message;
    EXPECT_THAT(taken.reason, HasSubstr("several patients")) << message;
  }
  EXPECT_EQ(count("SELECT count(*) FROM resource"), 0);
}

TEST_F(Hl7Patients, TheSexIsReadInEitherCaseAndInWords) {
  const std::pair<const char*, const char*> sent[] = {
      {"m", "male"}, {"Male", "male"}, {"f", "female"}, {"FEMALE", "female"}, {"u", "unknown"}};
  for (const auto& [sex, gender] : sent) {
    take(cat(header("ADT^A28", sex), "PID|1||", sex, "^^^^MR||Roe^Jane|||", sex, "\r"));
    EXPECT_EQ(text(cat("SELECT json_extract(CAST(body AS TEXT), '$.gender') FROM resource_version"
                       " WHERE CAST(body AS TEXT) LIKE '%\"value\":\"",
                       sex, "\"%'")),
              gender)
        << sex;
  }
  EXPECT_EQ(count("SELECT count(*) FROM mapping_gap"), 0);
  take(cat(header("ADT^A28", "9"), "PID|1||P9^^^^MR||Poe^Ann|||X\r"));
  EXPECT_EQ(count("SELECT count(*) FROM mapping_gap WHERE system = 'HL70001' AND code = 'X'"), 1);
}

}  // namespace
}  // namespace gateway::adapters::hl7
