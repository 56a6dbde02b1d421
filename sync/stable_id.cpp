#include "sync/stable_id.h"

#include <span>

#include "core/text.h"
#include "crypto/digest.h"

namespace gateway::sync {
namespace {

std::string digest_bytes(std::string_view name) {
  const crypto::Digest digest = crypto::sha256(std::as_bytes(std::span(name)));
  return {reinterpret_cast<const char*>(digest.data()), 16};
}

std::string uuid_text(std::string bytes) {
  bytes[6] = static_cast<char>((bytes[6] & 0x0f) | 0x80);
  bytes[8] = static_cast<char>((bytes[8] & 0x3f) | 0x80);
  std::string text = core::to_hex(bytes);
  for (const std::size_t at : {8U, 13U, 18U, 23U}) text.insert(at, 1, '-');
  return text;
}

}  // namespace

std::string stable_id(std::string_view name) { return uuid_text(digest_bytes(name)); }

std::string stable_id(std::string_view name, core::Wall at) {
  std::string bytes = digest_bytes(name);
  auto milliseconds = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count());
  for (std::size_t i = 6; i-- > 0; milliseconds >>= 8)
    bytes[i] = static_cast<char>(milliseconds & 0xff);
  return uuid_text(std::move(bytes));
}

}  // namespace gateway::sync
