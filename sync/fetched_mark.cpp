#include "sync/fetched_mark.h"

#include <algorithm>
#include <string_view>

#include "core/text.h"
#include "crypto/octets.h"

namespace gateway::sync {
namespace {

constexpr std::size_t kPreambleBytes = 128;

/// With the name of an uplink, of 64 characters at most, it is no longer than a preamble.
std::string mark_of(const std::string& id) { return core::cat("clinic-gateway prior ", id, ' '); }

}  // namespace

MarkedWriter::MarkedWriter(crypto::SealedWriter& writer, const std::string& uplink)
    : writer_(writer), left_(core::cat(mark_of(writer.id()), uplink)) {
  left_.resize(kPreambleBytes, '\0');
}

core::Status MarkedWriter::append(std::span<const std::byte> bytes) {
  const std::size_t marked = std::min(left_.size(), bytes.size());
  if (marked > 0) {
    GW_CHECK(writer_.append(std::as_bytes(std::span(left_).first(marked))));
    left_.erase(0, marked);
  }
  if (marked == bytes.size()) return {};
  return writer_.append(bytes.subspan(marked));
}

std::string fetched_from(std::span<const std::byte> bytes, const std::string& id) {
  const std::string_view preamble =
      crypto::as_text(bytes.first(std::min(bytes.size(), kPreambleBytes)));
  const std::string mark = mark_of(id);
  if (!preamble.starts_with(mark)) return {};
  const std::string_view uplink = preamble.substr(mark.size());
  return std::string(uplink.substr(0, uplink.find('\0')));
}

}  // namespace gateway::sync
