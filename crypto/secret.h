// Key material in memory: locked (never swapped, never in a core dump), zeroed when it goes.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "core/result.h"

namespace gateway::crypto {

/// A fixed number of secret bytes. Movable, not copyable by accident (clone() says so). Not
/// thread-safe while being filled.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::size_t size);       // zero-filled
  static Secret random(std::size_t size);  // from the operating system
  static Secret copy_of(std::span<const std::byte> bytes);
  static Secret copy_of(std::string_view text);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  ~Secret();

  Secret clone() const;
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::span<std::byte> bytes() { return {data_, size_}; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Takes as long whatever differs.
bool same_secret(const Secret& one, const Secret& other);

constexpr std::size_t kKeyBytes = 32;

/// HKDF-SHA256 (RFC 5869) of `root`, domain-separated by `label`: the only way keys come from the
/// root key.
core::Result<Secret> derive_key(const Secret& root, std::string_view label);
/// The same of key material of any length that nobody can guess (never of a passphrase).
core::Result<Secret> derive_from(std::span<const std::byte> material, std::string_view label);

}  // namespace gateway::crypto
