#include "core/ids.h"

#include <sys/random.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "core/text.h"

namespace gateway::core {

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  std::size_t filled = 0;
  while (filled < count) {
    const ssize_t got = ::getrandom(bytes.data() + filled, count - filled, 0);
    // Without the kernel's generator no id or key would be safe: there is nothing to fall back to.
    if (got < 0 && errno != EINTR) std::abort();
    if (got > 0) filled += static_cast<std::size_t>(got);
  }
  return bytes;
}

std::string new_uuid(const Clock& clock) {
  std::string bytes = random_bytes(16);
  const auto since = clock.wall().time_since_epoch();
  const auto millis =
      static_cast<std::uint64_t>(std::chrono::duration_cast<Milliseconds>(since).count());
  for (int i = 0; i < 6; ++i)
    bytes[static_cast<std::size_t>(i)] = static_cast<char>(millis >> (40 - 8 * i));
  bytes[6] = static_cast<char>((bytes[6] & 0x0f) | 0x70);
  bytes[8] = static_cast<char>((bytes[8] & 0x3f) | 0x80);
  std::string text = to_hex(bytes);
  for (const std::size_t at : {8u, 13u, 18u, 23u}) text.insert(at, 1, '-');
  return text;
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const char c = text[i];
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    if (dash ? c != '-' : !hex) return false;
  }
  return true;
}

std::string uid_from_uuid(std::string_view uuid) {
  std::string hex;
  std::copy_if(uuid.begin(), uuid.end(), std::back_inserter(hex), [](char c) { return c != '-'; });
  const std::string bytes = from_hex(hex);
  std::string decimal = "0";
  for (const char byte : bytes) {
    int carry = static_cast<unsigned char>(byte);
    for (auto digit = decimal.rbegin(); digit != decimal.rend(); ++digit) {
      const int value = (*digit - '0') * 256 + carry;
      *digit = static_cast<char>('0' + value % 10);
      carry = value / 10;
    }
    for (; carry > 0; carry /= 10) decimal.insert(0, 1, static_cast<char>('0' + carry % 10));
  }
  return "2.25." + decimal;
}

}  // namespace gateway::core
