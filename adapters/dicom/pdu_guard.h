// Follows the PDUs (PS3.8 9.3) in a byte stream and says when a peer's claim would cost memory:
// DCMTK allocates whatever length a PDU header or an element of a command set names, and reads a
// command set recursively, however deep it nests. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace gateway::adapters::dicom {

inline constexpr std::size_t kPduHeadBytes = 6;
inline constexpr std::uint32_t kPduBytesMax = 131'072;          // the most DCMTK handles
inline constexpr std::uint32_t kAssociateBytesMax = 1'048'576;  // 128 contexts fill 150 KB at most

inline constexpr std::uint32_t kCommandBytesMax = 16'384;  // a command set has a few hundred

struct PduHead {
  std::uint8_t type = 0;
  std::uint32_t length = 0;  // of what follows the head
};
PduHead parse_pdu_head(std::span<const std::byte, kPduHeadBytes> bytes);

class PduGuard {
 public:
  /// The next bytes of the stream. False: a PDU or a command set is longer than we allow; nothing
  /// more may be read.
  bool pass(std::span<const std::byte> bytes);
  /// True between PDUs.
  bool at_boundary() const { return head_filled_ == 0 && body_left_ == 0; }
  std::uint32_t body_left() const { return body_left_; }

 private:
  bool follow_values(std::span<const std::byte> body);
  bool follow_command(std::span<const std::byte> bytes);
  std::array<std::byte, kPduHeadBytes> head_{};
  std::size_t head_filled_ = 0;
  std::uint32_t body_left_ = 0;
  // Inside a P-DATA-TF: presentation data values (PS3.8 9.3.5), each with a head of its own.
  bool carries_values_ = false;
  std::array<std::byte, 6> value_head_{};
  std::size_t value_head_filled_ = 0;
  std::uint32_t value_left_ = 0;
  std::uint32_t command_bytes_ = 0;
  bool is_command_ = false;
  // Inside a command set: elements, implicit little endian (PS3.7 6.3.1).
  std::array<std::byte, 8> element_head_{};
  std::size_t element_head_filled_ = 0;
  std::uint32_t element_left_ = 0;
};

}  // namespace gateway::adapters::dicom
