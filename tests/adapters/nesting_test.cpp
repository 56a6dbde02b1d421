#include "adapters/dicom/nesting.h"

#include <gtest/gtest.h>

#include "tests/adapters/data_sets.h"
#include "tests/adapters/deep_data_set.h"

namespace gateway::adapters::dicom {
namespace {

// `depth` sequences in one another, each of two items, and something behind each.
void nest(DcmItem& item, int depth) {
  if (depth > 0) {
    for (const signed long n : {0L, -2L}) {
      DcmItem* inner = nullptr;
      ASSERT_TRUE(item.findOrCreateSequenceItem(DCM_ReferencedStudySequence, inner, n).good());
      if (n == 0) nest(*inner, depth - 1);
      put(*inner, DCM_ReferencedSOPInstanceUID, "1.2.3");
    }
  }
  put(item, DCM_PatientName, "Roe^Jane");
}

TEST(Nesting, CountsTheLevelsOfDefinedAndUndefinedLengths) {
  for (const Syntax& syntax : kSyntaxes) {
    for (const E_EncodingType lengths : {EET_UndefinedLength, EET_ExplicitLength}) {
      for (const int depth : {0, 1, 5}) {
        DcmDataset data_set;
        nest(data_set, depth);
        const std::string bytes = encode(data_set, syntax.dcmtk, lengths);
        const auto levels = static_cast<std::size_t>(depth);
        EXPECT_TRUE(nests_at_most(bytes, syntax.encoding, levels)) << depth;
        EXPECT_EQ(depth == 0, nests_at_most(bytes, syntax.encoding, levels - (depth > 0))) << depth;
      }
    }
  }
}

TEST(Nesting, ManyItemsSideBySideAreOneLevel) {
  DcmDataset data_set;
  for (int i = 0; i < 1'000; ++i) {
    DcmItem* item = nullptr;
    ASSERT_TRUE(
        data_set.findOrCreateSequenceItem(DCM_ReferencedSOPSequence, item, i == 0 ? 0 : -2).good());
    put(*item, DCM_ReferencedSOPInstanceUID, "1.2.3");
  }
  EXPECT_TRUE(
      nests_at_most(encode(data_set, EXS_LittleEndianExplicit), Encoding::explicit_little, 1));
}

TEST(Nesting, FragmentsOfPixelsAreNoLevels) {
  std::string bytes("\xe0\x7f\x10\x00OB\x00\x00\xff\xff\xff\xff", 12);
  for (int i = 0; i < 100; ++i)
    bytes += std::string("\xfe\xff\x00\xe0\x04\x00\x00\x00\xff\xd8\xff\xe0", 12);
  bytes += std::string("\xfe\xff\xdd\xe0\x00\x00\x00\x00", 8);
  EXPECT_TRUE(nests_at_most(bytes, Encoding::explicit_little, 1));
  // Nor do they end the look at what follows.
  EXPECT_FALSE(nests_at_most(bytes + deep_data_set(10, Encoding::explicit_little),
                             Encoding::explicit_little, 9));
}

TEST(Nesting, SeesThroughUnknownSequences) {
  const std::string inner = deep_data_set(9, Encoding::implicit_little);
  const std::string item = std::string("\xfe\xff\x00\xe0\xff\xff\xff\xff", 8) + inner;
  EXPECT_FALSE(nests_at_most(std::string("\x08\x00\x11\x11UN\x00\x00\xff\xff\xff\xff", 12) + item,
                             Encoding::explicit_little, 9));
}

TEST(Nesting, WhatCannotBeFollowedCountsEveryItem) {
  const std::string strange("\x08\x00\x11\x11?!\x04\x00", 8);
  EXPECT_TRUE(nests_at_most(strange + "text", Encoding::explicit_little, 9));
  EXPECT_FALSE(nests_at_most(strange + deep_data_set(10, Encoding::explicit_little),
                             Encoding::explicit_little, 9));
  // One that ends beyond the one around it.
  EXPECT_FALSE(nests_at_most(
      std::string("\x08\x00\x11\x11\x08\x00\x00\x00\xfe\xff\x00\xe0\xff\x00\x00\x00", 16) +
          deep_data_set(10, Encoding::implicit_little),
      Encoding::implicit_little, 9));
}

}  // namespace
}  // namespace gateway::adapters::dicom
