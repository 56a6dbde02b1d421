#include "adapters/dicom/character_sets.h"

#include <gtest/gtest.h>

#include "adapters/dicom/utf8.h"

namespace gateway::adapters::dicom {
namespace {

// Names from PS3.5 H, I, J and K beside those of the single-byte sets.
TEST(DecodeText, ReadsTheRepertoiresOfTheStandard) {
  const auto name = [](std::string_view value, std::string_view set) {
    return decode_text(value, set, TextKind::person_name);
  };
  EXPECT_EQ(name("Buc^J\xe9r\xf4me", "ISO_IR 100"), "Buc^Jérôme");
  EXPECT_EQ(name("Wa\xb3\xeasa", "ISO_IR 101"), "Wałęsa");
  EXPECT_EQ(name("\xbb\xee\xda\x63\x65\xdc\xd1yp\xd3", "ISO_IR 144"), "Люкceмбypг");
  EXPECT_EQ(name("\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2", "ISO_IR 126"), "Διονυσιος");
  EXPECT_EQ(name("\xe2\xc8\xc7\xe6\xea^\xe4\xe6\xd2\xc7\xd1", "ISO_IR 127"), "قباني^لنزار");
  EXPECT_EQ(name("Wang^XiaoDong=\xe7\x8e\x8b^\xe5\xb0\x8f\xe6\x9d\xb1", "ISO_IR 192"),
            "Wang^XiaoDong=王^小東");
  EXPECT_EQ(name("Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab", "GB18030"), "Wang^XiaoDong=王^小东");
  EXPECT_EQ(name("Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7", "\\ISO 2022 IR 149"),
            "Hong^Gildong=洪^吉洞");
  EXPECT_EQ(name("\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J",
                 "ISO 2022 IR 13\\ISO 2022 IR 87"),
            "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎");
  EXPECT_EQ(name("Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", "\\ISO 2022 IR 87"),
            "Yamada^Tarou=山田^太郎");
}

TEST(DecodeText, SloppyLabelsLoseAsLittleAsCanBe) {
  EXPECT_EQ(decode_text("M\xfcller \x96 \x80", "ISO_IR 100", TextKind::text),
            "Müller – €");                                         // cp1252
  EXPECT_EQ(decode_text("Müller", "", TextKind::text), "Müller");  // undeclared UTF-8
  EXPECT_EQ(decode_text("M\xfcller", "", TextKind::text), "M\ufffdller");
  EXPECT_EQ(decode_text("M\xfcller", "ISO_IR 192", TextKind::text), "M\ufffdller");
  EXPECT_EQ(decode_text("plain", "nonsense", TextKind::text), "plain");
}

TEST(DecodeText, NeverGivesInvalidUtf8) {
  for (const char* set :
       {"", "ISO_IR 100", "ISO_IR 192", "GB18030", "\\ISO 2022 IR 87", "ISO_IR 13", "x"}) {
    for (int first = 0; first < 256; ++first) {
      for (const int second : {0x1b, 0x5c, 0x80, 0xff}) {
        const std::string value{'a', static_cast<char>(first), static_cast<char>(second), '$', 'B'};
        EXPECT_TRUE(is_valid_utf8(decode_text(value, set, TextKind::person_name)));
      }
    }
  }
}

TEST(AnswerCharacterSet, IsOneThatTheSenderReads) {
  EXPECT_EQ(answer_character_set(""), "ISO_IR 192");
  EXPECT_EQ(answer_character_set("ISO_IR 100"), "ISO_IR 100");
  EXPECT_EQ(answer_character_set("\\ISO 2022 IR 100"), "ISO_IR 100");
  EXPECT_EQ(answer_character_set("ISO 2022 IR 6\\ISO 2022 IR 144"), "ISO_IR 144");
  EXPECT_EQ(answer_character_set("GB18030"), "GB18030");
  EXPECT_EQ(answer_character_set("ISO 2022 IR 6\\ISO 2022 IR 87"), "ISO_IR 192");
}

TEST(Utf8, RefusesOverlongSurrogatesAndCutSequences) {
  for (const std::string& bad :
       {std::string("\xc0\xaf"), std::string("\xe0\x80\xaf"), std::string("\xed\xa0\x80"),
        std::string("\xf4\x90\x80\x80"), std::string("\xe2\x82"), std::string("\x80")}) {
    EXPECT_FALSE(is_valid_utf8(bad));
  }
  EXPECT_TRUE(is_valid_utf8("aé€😀"));
}

}  // namespace
}  // namespace gateway::adapters::dicom
