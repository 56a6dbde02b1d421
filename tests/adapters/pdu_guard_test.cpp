#include "adapters/dicom/pdu_guard.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/adapters/data_sets.h"

namespace gateway::adapters::dicom {
namespace {

std::string pdu(std::uint8_t type, std::uint32_t claimed, std::size_t body) {
  std::string bytes{static_cast<char>(type), '\0'};
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(claimed >> shift & 0xff);
  return bytes + std::string(body, 'x');
}

TEST(PduGuard, SeesBoundariesInAnyCut) {
  const std::string stream = pdu(4, 10, 10) + pdu(5, 4, 4) + pdu(4, 0, 0);
  for (std::size_t cut = 1; cut <= stream.size(); ++cut) {
    PduGuard guard;
    for (std::size_t at = 0; at < stream.size(); at += cut) {
      ASSERT_TRUE(guard.pass(octets(std::string_view(stream).substr(at, cut))));
      const std::size_t passed = std::min(stream.size(), at + cut);
      EXPECT_EQ(guard.at_boundary(), passed == 16 || passed == 26 || passed == 32) << passed;
    }
  }
}

TEST(PduGuard, RefusesALengthThatWouldCostMemory) {
  EXPECT_FALSE(PduGuard().pass(octets(pdu(5, 0xfffffff0, 0))));
  EXPECT_FALSE(PduGuard().pass(octets(pdu(4, kPduBytesMax + 1, 0))));
  EXPECT_TRUE(PduGuard().pass(octets(pdu(4, kPduBytesMax, 0))));
  EXPECT_TRUE(PduGuard().pass(octets(pdu(1, kAssociateBytesMax, 0))));
  EXPECT_FALSE(PduGuard().pass(octets(pdu(1, kAssociateBytesMax + 1, 0))));
}

}  // namespace
}  // namespace gateway::adapters::dicom
