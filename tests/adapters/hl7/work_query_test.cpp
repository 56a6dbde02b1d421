// An analyzer's question what to do with a tube: what it asks, and the form of each answer.
#include "adapters/hl7/work_query.h"

#include <gmock/gmock.h>

#include "core/text.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

/// As analyzers of three makers send it, but for their names.
std::string query(std::string_view qpd, std::string_view event = "Q11",
                  std::string_view acknowledgments = "|") {
  return cat("MSH|^~\\&|chem^A1^L|Lab|Host|Clinic|20260301101500+0100||QBP^", event,
             "^QBP_Q11|77|P|2.5.1|||", acknowledgments, "||UNICODE UTF-8|||LAB-27^IHE\r", qpd,
             qpd.empty() ? "" : "\r", "RCP|I||R^^HL70394\r");
}
constexpr std::string_view kT1 = "QPD|WOS^Work Order Step^IHE_LABTF|q7|T1^TUBES|R5|3";

std::shared_ptr<const Message> parsed(std::string text) {
  auto message = Message::parse(std::move(text));
  EXPECT_TRUE(message.ok());
  return *message;
}
WorkQuery read(std::string_view qpd, std::string_view event = "Q11") {
  return read_work_query(*parsed(query(qpd, event)), "chem");
}
std::string answer(const std::string& asked, const WorkAnswer& said) {
  return answer_work_query(*parsed(asked), said, core::system_clock());
}
WorkAnswer found(std::string orders) {
  WorkAnswer made;
  made.status = "OK";
  made.orders = std::move(orders);
  return made;
}

TEST(WorkQuery, NamesTheTubeOrAsksForAll) {
  EXPECT_EQ(read(kT1).specimen, "T1");
  EXPECT_TRUE(read(kT1).is_law);
  EXPECT_FALSE(read(kT1, "WOS").is_law);
  EXPECT_EQ(read("QPD|WOS^Work Order Step^IHELAW||T2").specimen, "T2") << "without a tag";
  const WorkQuery all = read("QPD|WOS_ALL^Work Order Step All^IHELAW|q8");
  EXPECT_TRUE(all.is_all);
  EXPECT_EQ(all.fault.why, "");
  EXPECT_EQ(all.asker, "chem^A1^L|Lab");
  EXPECT_TRUE(is_work_query("QBP^Q11") && is_work_query("QBP^WOS"));
  EXPECT_FALSE(is_work_query("QBP^Q21"));
}

TEST(WorkQuery, ANumberIsNeverCutToAnother) {
  EXPECT_EQ(read("QPD|WOS|q7|T2&LAB").specimen, "T2&LAB");
  EXPECT_EQ(read("QPD|WOS|q7|T2\\T\\LAB").specimen, "T2&LAB");
}

TEST(WorkQuery, WhoGaveTheNumberIsWhoeverItNames) {
  EXPECT_EQ(read("QPD|WOS|q7|T1^LAB^1.2.3^ISO").specimen_issuer, "urn:oid:1.2.3");
  EXPECT_EQ(read("QPD|WOS|q7|T1^^urn:example:tubes^URI").specimen_issuer, "urn:example:tubes");
  EXPECT_NE(read("QPD|WOS|q7|T1^LAB^lab.example^DNS").specimen_issuer, "");
  EXPECT_EQ(read("QPD|WOS|q7|T1^LAB").specimen_issuer, "") << "a name alone";
  EXPECT_EQ(read(kT1).specimen_issuer, "");
}

TEST(WorkQuery, WhatDoesNotNameOneTubeIsNotAnsweredByAGuess) {
  EXPECT_THAT(read("").fault.why, HasSubstr("no QPD segment"));
  EXPECT_EQ(read("").fault.verdict, Verdict::in_error);
  EXPECT_EQ(read("").fault.code, "100");
  // Rack and position alone.
  EXPECT_THAT(read("QPD|WOS^Work Order Step^IHE_LABTF|q7||R5|3").fault.why, HasSubstr("QPD-3"));
  EXPECT_THAT(read("QPD|WOS|q7|T1~T2").fault.why, HasSubstr("several containers"));
  EXPECT_THAT(read("QPD|WOS|q7|\"\"").fault.why, HasSubstr("no container"));
  EXPECT_EQ(read("QPD|WOS|q7|").fault.code, "101");
  const WorkQuery other = read("QPD|Z34^Request Immunization History^CDCPHINVS|q7|T1");
  EXPECT_EQ(other.fault.verdict, Verdict::rejected);
  EXPECT_THAT(other.fault.why, HasSubstr("only WOS and WOS_ALL"));
  EXPECT_EQ(other.fault.code, "103");
  EXPECT_EQ(read("QPD|WOS_BY_RACK|q7|||R5").fault.verdict, Verdict::rejected);
}

TEST(WorkQuery, TheAnswerHasTheQuerysTagAndParameters) {
  const std::string text = answer(query(kT1), found("SPM|1|T1\r"));
  EXPECT_THAT(text, HasSubstr("\x0bMSH|^~\\&|Host|Clinic|chem^A1^L|Lab|"));
  EXPECT_THAT(text, HasSubstr("||RSP^K11^RSP_K11|"));
  EXPECT_THAT(text, HasSubstr("|P|2.5.1||||||UNICODE UTF-8|||LAB-27^IHE\rMSA|AA|77\r"
                              "QAK|q7|OK|WOS^Work Order Step^IHE_LABTF\r"));
  EXPECT_THAT(text, EndsWith(cat("\r", kT1, "\rSPM|1|T1\r\x1c\r")));
  EXPECT_THAT(text, Not(HasSubstr("ERR|")));
  EXPECT_THAT(answer(query(kT1, "WOS"), found("")), HasSubstr("||RSP^WOS^RSP_K11|"));
}

TEST(WorkQuery, ARefusalSaysWhereAndWhy) {
  WorkAnswer refused;
  refused.fault = {Verdict::in_error, "a | reason", "QPD^1^3"};
  EXPECT_THAT(answer(query(kT1), refused),
              HasSubstr("\rMSA|AE|77|a \\F\\ reason\rERR||QPD^1^3|207|E||||a \\F\\ reason\r"
                        "QAK|q7|AE|WOS^Work Order Step^IHE_LABTF\rQPD|WOS^"));
  refused.fault.verdict = Verdict::rejected;
  EXPECT_THAT(answer(query(kT1), refused), HasSubstr("\rMSA|AR|77|"));
  EXPECT_THAT(answer(query(""), refused), EndsWith("\rQAK||AR|\r\x1c\r"));
}

TEST(WorkQuery, AnAcceptAcknowledgmentGoesFirstWhereItIsAskedFor) {
  const std::string both = answer(query(kT1, "Q11", "AL|AL"), found(""));
  EXPECT_THAT(both, ::testing::StartsWith("\x0bMSH|^~\\&|Host|Clinic|chem^A1^L|Lab|"));
  EXPECT_LT(both.find("\rMSA|CA|77\r"), both.find("\rMSA|AA|77\r"));
  EXPECT_EQ(answer(query(kT1, "Q11", "ER|AL"), found("")).find("MSA|CA"), std::string::npos);
  EXPECT_THAT(answer(query(kT1, "Q11", "NE|AL"), found("")), HasSubstr("\rMSA|AA|77\r"));
}

TEST(WorkQuery, WhatWasTakenIsAcceptedWhateverItsAnswer) {
  WorkAnswer refused;
  refused.fault = {Verdict::in_error, "a reason", "QPD^1^3"};
  EXPECT_EQ(answer(query(kT1, "Q11", "ER|AL"), refused).find("MSA|C"), std::string::npos);
  const std::string both = answer(query(kT1, "Q11", "AL|AL"), refused);
  EXPECT_LT(both.find("\rMSA|CA|77\r"), both.find("\rMSA|AE|77|"));
  EXPECT_EQ(both.find("MSA|CE"), std::string::npos);
}

TEST(WorkQuery, NothingFollowsWhereTheQueryWasNotTaken) {
  WorkAnswer refused;
  refused.fault = {Verdict::in_error, "locked", "MSH^1"};
  refused.is_stored = false;
  for (const std::string_view wanted : {"AL|AL", "ER|AL"}) {
    const std::string alone = answer(query(kT1, "Q11", wanted), refused);
    EXPECT_THAT(alone, HasSubstr("\rMSA|CE|77|locked\r"));
    EXPECT_THAT(alone, Not(HasSubstr("RSP^K11")));
  }
  // Who knows no accept acknowledgment has to hear it in the answer.
  EXPECT_THAT(answer(query(kT1), refused), HasSubstr("\rMSA|AE|77|locked\r"));
  EXPECT_THAT(answer(query(kT1, "Q11", "NE|AL"), refused), HasSubstr("\rMSA|AE|77|locked\r"));
}

TEST(WorkQuery, ParametersInOtherDelimitersComeBackInTheUsualOnes) {
  const std::string odd =
      "MSH#*!/@#chem#Lab#Host#Clinic#20260301##QBP*Q11#7#P#2.5.1\r"
      "QPD#WOS*Work Order Step*IHE/F/X#q|7#T1*A@B#\"\"\r";
  EXPECT_EQ(read_work_query(*parsed(odd), "chem").specimen, "T1");
  EXPECT_THAT(answer(odd, found("")),
              EndsWith("\rQPD|WOS^Work Order Step^IHE#X|q\\F\\7|T1^A&B|\"\"\r\x1c\r"));
}

TEST(WorkQuery, ALineBreakInAParameterEndsNoSegment) {
  const std::string text = answer(query("QPD|WOS|q\n7|T1"), found(""));
  EXPECT_THAT(text, EndsWith("\rQPD|WOS|q 7|T1\r\x1c\r"));
}

}  // namespace
}  // namespace gateway::adapters::hl7
