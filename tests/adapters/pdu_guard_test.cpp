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

// One P-DATA-TF with one value of a command set (PS3.8 E.2: bit 0 command, bit 1 last).
std::string command_value(const std::string& bytes, bool is_last) {
  const std::string value = std::string{'\1', is_last ? '\3' : '\1'} + bytes;
  std::string head;
  for (int shift = 24; shift >= 0; shift -= 8)
    head += static_cast<char>(value.size() >> shift & 0xff);
  const std::string body = head + value;
  return pdu(4, static_cast<std::uint32_t>(body.size()), 0) + body;
}

// Elements without value.
std::string command_value(std::size_t bytes, bool is_last) {
  return command_value(std::string(bytes, '\0'), is_last);
}

TEST(PduGuard, RefusesACommandSetThatCouldNestDeep) {
  for (const std::size_t cut : {std::size_t{1}, std::size_t{1'000}}) {
    PduGuard guard;
    bool passed = true;
    const auto feed = [&](const std::string& stream) {
      for (std::size_t at = 0; passed && at < stream.size(); at += cut)
        passed = guard.pass(octets(std::string_view(stream).substr(at, cut)));
    };
    // As many as one likes, each within the limit.
    for (int i = 0; i < 3; ++i) {
      feed(command_value(kCommandBytesMax / 2, false));
      feed(command_value(kCommandBytesMax / 2, true));
    }
    EXPECT_TRUE(passed);
    feed(command_value(kCommandBytesMax / 2, false));
    feed(command_value(kCommandBytesMax / 2 + 1, true));
    EXPECT_FALSE(passed);
  }
}

TEST(PduGuard, RefusesAnElementOfACommandSetThatWouldCostMemory) {
  const auto element = [](std::uint32_t length) {
    std::string bytes("\0\0\2\0", 4);
    for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(length >> shift & 0xff);
    return bytes;
  };
  const std::string good = element(4) + "1.2" + '\0' + element(0);
  for (const std::uint32_t length : {0x6e000000u, 0xffffffffu, kCommandBytesMax + 1}) {
    EXPECT_FALSE(PduGuard().pass(octets(command_value(good + element(length), true)))) << length;
    // Its header in two values.
    PduGuard guard;
    const std::string bytes = good + element(length);
    EXPECT_TRUE(guard.pass(octets(command_value(bytes.substr(0, bytes.size() - 2), false))));
    EXPECT_FALSE(guard.pass(octets(command_value(bytes.substr(bytes.size() - 2), true)))) << length;
  }
  // What a set leaves open does not reach into the next one.
  PduGuard guard;
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(guard.pass(octets(command_value(good + element(6) + "ab", true))));
}

}  // namespace
}  // namespace gateway::adapters::dicom
