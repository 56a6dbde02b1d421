#include "adapters/dicom/pdu_guard.h"

#include <algorithm>

namespace gateway::adapters::dicom {
namespace {

constexpr std::uint8_t kAssociateRequest = 1;
constexpr std::uint8_t kDataTransfer = 4;
// The message control header of a value (PS3.8 E.2); it and the context's id are counted in the
// value's length.
constexpr std::uint8_t kIsCommand = 1;
constexpr std::uint8_t kIsLast = 2;
constexpr std::uint32_t kCountedHeadBytes = 2;

std::uint32_t big_endian(std::span<const std::byte, 4> bytes) {
  std::uint32_t value = 0;
  for (const std::byte byte : bytes) value = value << 8 | std::to_integer<std::uint32_t>(byte);
  return value;
}

}  // namespace

PduHead parse_pdu_head(std::span<const std::byte, kPduHeadBytes> bytes) {
  return {std::to_integer<std::uint8_t>(bytes[0]), big_endian(bytes.subspan<2, 4>())};
}

bool PduGuard::pass(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    if (body_left_ > 0) {
      const std::size_t taken = std::min<std::size_t>(body_left_, bytes.size());
      body_left_ -= static_cast<std::uint32_t>(taken);
      if (carries_values_ && !follow_values(bytes.first(taken))) return false;
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
    const std::uint32_t most = head.type == kAssociateRequest ? kAssociateBytesMax : kPduBytesMax;
    if (head.length > most) return false;
    body_left_ = head.length;
    carries_values_ = head.type == kDataTransfer;
    value_head_filled_ = 0;
    value_left_ = 0;
  }
  return true;
}

bool PduGuard::follow_values(std::span<const std::byte> body) {
  while (!body.empty()) {
    if (value_left_ > 0) {
      const std::size_t taken = std::min<std::size_t>(value_left_, body.size());
      value_left_ -= static_cast<std::uint32_t>(taken);
      if (is_command_ && !follow_command(body.first(taken))) return false;
      body = body.subspan(taken);
      continue;
    }
    value_head_[value_head_filled_++] = body.front();
    body = body.subspan(1);
    if (value_head_filled_ < value_head_.size()) continue;
    value_head_filled_ = 0;
    const std::uint32_t length = big_endian(std::span<const std::byte>(value_head_).first<4>());
    if (length < kCountedHeadBytes) return false;
    value_left_ = length - kCountedHeadBytes;
    const auto control = std::to_integer<std::uint8_t>(value_head_.back());
    is_command_ = (control & kIsCommand) != 0;
    if (!is_command_) continue;
    if (command_bytes_ == 0) {
      element_head_filled_ = 0;
      element_left_ = 0;
    }
    if (value_left_ > kCommandBytesMax - command_bytes_) return false;
    command_bytes_ = (control & kIsLast) != 0 ? 0 : command_bytes_ + value_left_;
  }
  return true;
}

// No element of a command set is a sequence, so that a length that is none is too long as well.
bool PduGuard::follow_command(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    if (element_left_ > 0) {
      const std::size_t taken = std::min<std::size_t>(element_left_, bytes.size());
      element_left_ -= static_cast<std::uint32_t>(taken);
      bytes = bytes.subspan(taken);
      continue;
    }
    element_head_[element_head_filled_++] = bytes.front();
    bytes = bytes.subspan(1);
    if (element_head_filled_ < element_head_.size()) continue;
    element_head_filled_ = 0;
    for (std::size_t at = element_head_.size(); at > 4; --at)
      element_left_ = element_left_ << 8 | std::to_integer<std::uint32_t>(element_head_[at - 1]);
    if (element_left_ > kCommandBytesMax) return false;
  }
  return true;
}

}  // namespace gateway::adapters::dicom
