#include "adapters/dicom/data_set_scanner.h"

#include <gtest/gtest.h>

#include <array>

#include "tests/adapters/data_sets.h"

namespace gateway::adapters::dicom {
namespace {

constexpr std::array<Tag, 3> kWanted = {0x00080018, 0x00100010, 0x00280008};

// Sequences in sequences, also with the wanted tags inside, before the wanted ones of the top.
void fill_nested(DcmDataset& data_set) {
  fill_ct(data_set, 1);
  put(data_set, DCM_NumberOfFrames, "12");
  DcmItem* item = nullptr;
  for (signed long n : {0L, 1L}) {
    ASSERT_TRUE(
        data_set.findOrCreateSequenceItem(DCM_ReferencedStudySequence, item, n == 0 ? 0 : -2)
            .good());
    put(*item, DCM_ReferencedSOPInstanceUID, "1.2.3");
    put(*item, DCM_PatientName, "Not^Me");
    DcmItem* inner = nullptr;
    ASSERT_TRUE(
        item->findOrCreateSequenceItem(DCM_PurposeOfReferenceCodeSequence, inner, 0).good());
    put(*inner, DCM_CodeValue, "121320");
  }
  ASSERT_TRUE(data_set.insertEmptyElement(DCM_ReferencedPatientSequence).good());
}

std::map<Tag, std::string> scan(const std::string& bytes, Encoding encoding, std::size_t cut) {
  DataSetScanner scanner(encoding, kWanted);
  for (std::size_t at = 0; at < bytes.size(); at += cut) {
    scanner.feed(octets(std::string_view(bytes).substr(at, cut)));
  }
  EXPECT_TRUE(scanner.done());
  return scanner.values();
}

TEST(DataSetScanner, FindsTopLevelValuesInEveryEncodingAndCut) {
  for (const Syntax& syntax : kSyntaxes) {
    for (const E_EncodingType lengths : {EET_UndefinedLength, EET_ExplicitLength}) {
      DcmDataset data_set;
      fill_nested(data_set);
      const std::string bytes = encode(data_set, syntax.dcmtk, lengths);
      for (const std::size_t cut : {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{13},
                                    std::size_t{64}, bytes.size()}) {
        const auto values = scan(bytes, syntax.encoding, cut);
        ASSERT_EQ(values.size(), 3u) << DcmXfer(syntax.dcmtk).getXferName() << " cut " << cut;
        EXPECT_EQ(values.at(0x00100010), "Roe^Jane");
        EXPECT_EQ(values.at(0x00280008), "12");
        EXPECT_EQ(values.at(0x00080018).substr(0, 28), "1.2.826.0.1.3680043.10.1.1.1");
      }
    }
  }
}

TEST(DataSetScanner, EndsBeforeThePixelsWhenAWantedTagIsAbsent) {
  DcmDataset data_set;
  fill_ct(data_set, 1, 100'000);
  const std::string bytes = encode(data_set, EXS_LittleEndianExplicit);
  DataSetScanner scanner(Encoding::explicit_little, kWanted);
  scanner.feed(octets(std::string_view(bytes).substr(0, 1'000)));
  EXPECT_TRUE(scanner.done());
  EXPECT_EQ(scanner.values().count(0x00280008), 0u);
  EXPECT_EQ(scanner.values().at(0x00100010), "Roe^Jane");
}

// (0008,1111) as UN of undefined length: its content is implicit little endian (PS3.5 6.2.2).
TEST(DataSetScanner, FollowsUnknownSequencesOfUndefinedLength) {
  const std::string implicit_item =
      std::string("\xfe\xff\x00\xe0\xff\xff\xff\xff", 8) +  // item, undefined length
      std::string("\x10\x00\x10\x00\x04\x00\x00\x00", 8) + "Nope" +
      std::string("\xfe\xff\x0d\xe0\x00\x00\x00\x00", 8);
  const std::string bytes = std::string("\x08\x00\x11\x11UN\x00\x00\xff\xff\xff\xff", 12) +
                            implicit_item + std::string("\xfe\xff\xdd\xe0\x00\x00\x00\x00", 8) +
                            std::string("\x10\x00\x10\x00PN\x04\x00", 8) + "Mine" +
                            std::string("\x30\x00\x10\x00PN\x00\x00", 8);
  for (std::size_t cut = 1; cut <= bytes.size(); ++cut) {
    EXPECT_EQ(scan(bytes, Encoding::explicit_little, cut).at(0x00100010), "Mine");
  }
}

TEST(DataSetScanner, GivesUpOnWhatItCannotFollowAndKeepsWhatItFound) {
  const std::string good = std::string("\x08\x00\x18\x00UI\x04\x00", 8) + "1.23";
  for (const std::string& bad :
       {std::string("\x08\x00\x20\x00\x01\x02\x08\x00", 8), std::string(16, '\xff'),
        std::string("\xfe\xff\x0d\xe0\x00\x00\x00\x00", 8)}) {
    DataSetScanner scanner(Encoding::explicit_little, kWanted);
    scanner.feed(octets(good + bad + std::string(64, 'x')));
    EXPECT_TRUE(scanner.done());
    EXPECT_EQ(scanner.values().at(0x00080018), "1.23");
  }
}

TEST(DataSetScanner, BoundsDepthAndValues) {
  DataSetScanner deep(Encoding::implicit_little, kWanted);
  for (int i = 0; i < 100; ++i) {
    deep.feed(octets(
        std::string("\x08\x00\x11\x11\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff", 16)));
  }
  EXPECT_TRUE(deep.done());

  DataSetScanner wide(Encoding::implicit_little, kWanted);
  wide.feed(octets(std::string("\x10\x00\x10\x00\xf0\xff\xff\x7f", 8)));
  for (int i = 0; i < 100; ++i) wide.feed(octets(std::string(100'000, 'x')));
  EXPECT_TRUE(wide.values().empty());
  EXPECT_FALSE(wide.done());
}

}  // namespace
}  // namespace gateway::adapters::dicom
