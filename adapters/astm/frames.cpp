// Frames of LIS01-A2 6.3: STX number text ETB|ETX C1 C2 CR LF.
#include <algorithm>

#include "adapters/astm/link.h"
#include "core/text.h"

namespace gateway::adapters::astm {

std::string checksum_text(std::string_view body, char end, profiles::Checksum variant) {
  unsigned sum = 0;
  for (const char c : body) sum += static_cast<unsigned char>(c);
  if (variant != profiles::Checksum::without_end) sum += static_cast<unsigned char>(end);
  if (variant == profiles::Checksum::with_start) sum += static_cast<unsigned char>(kStx);
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  return {kDigits[sum >> 4U & 15U], kDigits[sum & 15U]};
}

std::vector<std::string> make_frames(std::string_view message, const LinkOptions& options) {
  std::vector<std::string> frames;
  while (!message.empty()) {
    const auto record_end = message.find('\r');
    const std::size_t record =
        record_end == std::string_view::npos ? message.size() : record_end + 1;
    const std::size_t length = std::min(record, options.frame_bytes_max);
    const char end = length == record ? kEtx : kEtb;
    const std::string body = core::cat((frames.size() + 1) % 8, message.substr(0, length));
    frames.push_back(
        core::cat(kStx, body, end, checksum_text(body, end, options.checksum), "\r\n"));
    message.remove_prefix(length);
  }
  return frames;
}

}  // namespace gateway::adapters::astm
