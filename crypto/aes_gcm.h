// AES-256-GCM (NIST SP 800-38D) with 96-bit nonces and 128-bit tags, and the key wrapping built on
// it. The caller answers for the uniqueness of nonces under one key; wrap_key() draws a random one.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>

#include "core/result.h"
#include "crypto/secret.h"

namespace gateway::crypto {

constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kTagBytes = 16;
using Nonce = std::array<std::byte, kNonceBytes>;

/// One key, one direction; the key schedule is computed once. One thread at a time.
class AesGcm {
 public:
  enum class Direction { seal, open };
  static core::Result<AesGcm> create(std::span<const std::byte> key, Direction direction);
  ~AesGcm();
  AesGcm(AesGcm&&) noexcept;
  AesGcm& operator=(AesGcm&&) noexcept;

  /// `sealed` takes plain.size() + kTagBytes: ciphertext, then tag. It may begin at the same
  /// address as `plain`.
  core::Status seal(const Nonce& nonce, std::span<const std::byte> associated,
                    std::span<const std::byte> plain, std::span<std::byte> sealed);
  /// The inverse; `plain` takes sealed.size() - kTagBytes and may begin where `sealed` does.
  /// Code::corrupt when the tag does not fit: `plain` then holds zeroes.
  core::Status open(const Nonce& nonce, std::span<const std::byte> associated,
                    std::span<const std::byte> sealed, std::span<std::byte> plain);

 private:
  struct Context;
  explicit AesGcm(std::unique_ptr<Context> context);
  std::unique_ptr<Context> context_;
};

/// Nonce, sealed key, tag.
constexpr std::size_t kWrappedKeyBytes = kNonceBytes + kKeyBytes + kTagBytes;
using WrappedKey = std::array<std::byte, kWrappedKeyBytes>;

core::Result<WrappedKey> wrap_key(const Secret& wrapping, const Secret& key,
                                  std::span<const std::byte> associated);
/// Code::corrupt when the wrapping key or the associated bytes are not those it was wrapped with.
core::Result<Secret> unwrap_key(const Secret& wrapping, std::span<const std::byte> wrapped,
                                std::span<const std::byte> associated);

}  // namespace gateway::crypto
