// Bytes as the on-disk formats want them: views of texts, little-endian integers. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace gateway::crypto {

inline std::span<const std::byte> as_octets(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
inline std::string_view as_text(std::span<const std::byte> octets) {
  return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}
inline const unsigned char* raw(std::span<const std::byte> octets) {
  return reinterpret_cast<const unsigned char*>(octets.data());
}
inline unsigned char* raw(std::span<std::byte> octets) {
  return reinterpret_cast<unsigned char*>(octets.data());
}

/// The lowest `Width` bytes of `value`, least significant first.
template <std::size_t Width>
void put_little_endian(std::span<std::byte, Width> out, std::uint64_t value) {
  for (std::size_t i = 0; i < Width; ++i) out[i] = static_cast<std::byte>(value >> (8 * i) & 0xff);
}
template <std::size_t Width>
std::uint64_t get_little_endian(std::span<const std::byte, Width> in) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < Width; ++i) value |= std::to_integer<std::uint64_t>(in[i]) << (8 * i);
  return value;
}

}  // namespace gateway::crypto
