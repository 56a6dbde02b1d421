#include "adapters/hl7/message.h"

#include <gtest/gtest.h>

#include "adapters/hl7/character_set.h"

namespace gateway::adapters::hl7 {
namespace {

std::shared_ptr<const Message> parsed(std::string text) {
  auto message = Message::parse(std::move(text));
  EXPECT_TRUE(message.ok()) << (message.ok() ? "" : message.error().message());
  return message.ok() ? *message : nullptr;
}

TEST(Hl7Message, NumbersFieldsAsTheStandardDoes) {
  const auto message =
      parsed("MSH|^~\\&|APP|FAC|||||ORU^R01^ORU_R01|7|P|2.5.1\rPID|1||A1^^^H^MR~B2\r");
  EXPECT_EQ(message->type(), "ORU^R01");
  EXPECT_EQ(message->header().field(1).raw(), "|");
  EXPECT_EQ(message->header().field(10).text(), "7");
  const Piece ids = message->find("PID")->field(3);
  EXPECT_EQ(ids.repetitions(), 2U);
  EXPECT_EQ(ids.repetition(0).component(5).text(), "MR");
  EXPECT_EQ(ids.repetition(1).component(1).text(), "B2");
  EXPECT_TRUE(message->find("PID")->field(99).empty());
}

TEST(Hl7Message, TakesItsDelimitersFromTheHeader) {
  const auto message = parsed("MSH$%*?!$APP$$$$$$ADT%A01$1\rPID$1$$A!B%C*D\r");
  const Piece field = message->find("PID")->field(3);
  EXPECT_EQ(field.repetition(1).text(), "D");
  EXPECT_EQ(field.component(1).subcomponent(2).text(), "B");
}

TEST(Hl7Message, ResolvesEscapes) {
  const auto message =
      parsed("MSH|^~\\&|\rNTE|1||a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f\\.br\\g\\X41C4\\h\\Zno\\i\\\r");
  EXPECT_EQ(message->find("NTE")->field(3).text(), "a|b^c&d~e\\f\ngAÄh\\Zno\\i\\");
}

TEST(Hl7Message, TellsEmptyFromNull) {
  const auto message = parsed("MSH|^~\\&|\rPID|\"\"||x\r");
  EXPECT_TRUE(message->find("PID")->field(1).is_null());
  EXPECT_EQ(message->find("PID")->field(1).text(), "");
  EXPECT_TRUE(message->find("PID")->field(2).empty());
}

TEST(Hl7Message, AcceptsEveryLineEndAndAMissingLastOne) {
  for (const char* end : {"\r", "\n", "\r\n"}) {
    const std::string text = std::string("MSH|^~\\&|A") + end + "PID|1" + end + end + " PV1|2";
    EXPECT_EQ(parsed(text)->segments().size(), 3U);
  }
}

TEST(Hl7Message, TakesALineWithoutASegmentNameAsPartOfTheFieldBefore) {
  const auto message = parsed("MSH|^~\\&|A\rOBX|1|TX|a||first line\nsecond line\nOBX|2|NM|b\r");
  EXPECT_EQ(message->segments()[1].field(5).text(), "first line\nsecond line");
  EXPECT_EQ(message->segments().size(), 3U);
}

TEST(Hl7Message, TakesALineOfThreeLettersAsTextAndAUsualSegmentWithoutFieldsAsOne) {
  const auto message =
      parsed("MSH|^~\\&|A\rOBX|1|TX|a||Result:\nNEG\nDNA found\rPV1\rOBX|2|NM|b\r");
  ASSERT_EQ(message->segments().size(), 4U);
  EXPECT_EQ(message->segments()[1].field(5).text(), "Result:\nNEG\nDNA found");
  EXPECT_EQ(message->segments()[2].name, "PV1");
}

TEST(Hl7Message, ASegmentWithoutFieldsIsOneBehindWhatHoldsNoText) {
  const auto message = parsed("MSH|^~\\&|A\rPID|1||P1\rCTI\rFT1\rOBX|1|NM|b\r");
  ASSERT_EQ(message->segments().size(), 5U);
  EXPECT_EQ(message->segments()[1].field(3).text(), "P1");
  EXPECT_EQ(message->segments()[3].name, "FT1");
}

TEST(Hl7Message, ALineOfAReportIsNoHeaderWhateverItBeginsWith) {
  const std::string report =
      "MSH|^~\\&|A\rOBX|1|TX|a||Stain\nMSH2: lost\nMSH6: kept\nBTSA negative\nFHS\rOBX|2|NM|b\r";
  const auto messages = split_messages(report);
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(messages[0], report);
  EXPECT_EQ(parsed(messages[0])->segments()[1].field(5).text(),
            "Stain\nMSH2: lost\nMSH6: kept\nBTSA negative\nFHS");
  EXPECT_EQ(split_messages("MSH|^~\\&|1\rPID|1\rMSH$%*?!$2\rPID$2\r").size(), 2U)
      << "delimiters of its own";
}

TEST(Hl7Message, RefusesWhatIsNone) {
  EXPECT_FALSE(Message::parse("").ok());
  EXPECT_FALSE(Message::parse("PID|1").ok());
  EXPECT_FALSE(Message::parse("MSH").ok());
  EXPECT_FALSE(Message::parse("MSHabcdefgh").ok());
}

TEST(Hl7Message, RefusesAFieldThatOnlyRepeats) {
  EXPECT_FALSE(Message::parse("MSH|^~\\&|A\rPID|||" + std::string(4U << 20, '~')).ok());
  EXPECT_TRUE(Message::parse("MSH|^~\\&|A\rOBX|||||" + std::string(5'000, '~')).ok());
}

TEST(Hl7Message, SplitsBatches) {
  const auto messages = split_messages(
      "FHS|^~\\&|A\rBHS|^~\\&|B\rMSH|^~\\&|1\rPID|1\rMSH|^~\\&|2\nPID|2\nBTS|2\rFTS|1\r");
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(messages[0], "MSH|^~\\&|1\rPID|1\r");
  EXPECT_EQ(messages[1], "MSH|^~\\&|2\rPID|2\n");
  EXPECT_TRUE(split_messages("GARBAGE").empty());
}

TEST(Hl7Message, SplitsWhatMayBeOfSeveralPatients) {
  const std::string head = "MSH|^~\\&|A||||||ORU^R01|1\rSFT|1\r";
  const std::string first = "PID|1\n\nOBX|1||PID|\n";
  const std::string second = " PID|2\rOBX|1\r";
  EXPECT_EQ(split_patients(head + first + second),
            (std::vector<std::string>{head + first, head + second}));
  EXPECT_TRUE(split_patients("MSH|^~\\&|A||||||OML^O21|1\rPID|1\rPID|2\r").empty());
  EXPECT_TRUE(split_patients("PID|1\rPID|2\r").empty());
  EXPECT_TRUE(split_patients(head).empty());
}

TEST(Hl7Text, ReadsTheSetThatTheHeaderNames) {
  const std::string header = "MSH|^~\\&|||||||ADT^A01|1|P|2.5||||||8859/1\rPID|1||||M\xfcller\r";
  EXPECT_NE(decode_text(header, "").utf8.find("Müller"), std::string::npos);
  const std::string greek = "MSH|^~\\&|||||||ADT^A01|1|P|2.5||||||8859/7\rPID|\xc1\r";
  EXPECT_NE(decode_text(greek, "").utf8.find("Α"), std::string::npos);
}

TEST(Hl7Text, TakesTheListenersSetWhereTheHeaderIsSilent) {
  const std::string text = "MSH|^~\\&|\rPID|\xd9\r";
  EXPECT_NE(decode_text(text, "8859/5").utf8.find("й"), std::string::npos);
  EXPECT_NE(decode_text(text, "").utf8.find("Ù"), std::string::npos);  // Windows-1252
  EXPECT_EQ(decode_text("MSH|^~\\&|\rPID|\xc3\x99\r", "").utf8, "MSH|^~\\&|\rPID|Ù\r");
}

TEST(Hl7Text, MarksBytesThatAreNoText) {
  const DecodedText text =
      decode_text("MSH|^~\\&|||||||A|1|P|2.5||||||UNICODE UTF-8\rPID|\xff\r", "");
  EXPECT_TRUE(text.is_damaged);
  EXPECT_NE(text.utf8.find("\xEF\xBF\xBD"), std::string::npos);
}

TEST(Hl7Text, DropsAByteOrderMark) {
  EXPECT_TRUE(decode_text("\xEF\xBB\xBFMSH|^~\\&|", "").utf8.starts_with("MSH"));
}

}  // namespace
}  // namespace gateway::adapters::hl7
