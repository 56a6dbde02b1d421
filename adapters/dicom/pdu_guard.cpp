#include "adapters/dicom/pdu_guard.h"

#include <algorithm>

namespace gateway::adapters::dicom {

PduHead parse_pdu_head(std::span<const std::byte, kPduHeadBytes> bytes) {
  std::uint32_t length = 0;
  for (std::size_t i = 2; i < kPduHeadBytes; ++i)
    length = length << 8 | std::to_integer<std::uint32_t>(bytes[i]);
  return {std::to_integer<std::uint8_t>(bytes[0]), length};
}

bool PduGuard::pass(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    if (body_left_ > 0) {
      const std::size_t taken = std::min<std::size_t>(body_left_, bytes.size());
      body_left_ -= static_cast<std::uint32_t>(taken);
      bytes = bytes.subspan(taken);
      continue;
    }
    const std::size_t taken = std::min(kPduHeadBytes - head_filled_, bytes.size());
    std::copy_n(bytes.begin(), taken, head_.begin() + static_cast<std::ptrdiff_t>(head_filled_));
    head_filled_ += taken;
    bytes = bytes.subspan(taken);
    if (head_filled_ < kPduHeadBytes) return true;
    head_filled_ = 0;
    const PduHead head = parse_pdu_head(head_);
    const std::uint32_t most = head.type == 1 ? kAssociateBytesMax : kPduBytesMax;
    if (head.length > most) return false;
    body_left_ = head.length;
  }
  return true;
}

}  // namespace gateway::adapters::dicom
