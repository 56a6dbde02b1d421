// SHA-256 as bytes come by, for comparing what was sent with what is held. FIPS 180-4.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>

namespace gateway::crypto {

using Digest = std::array<std::byte, 32>;

/// One thread at a time.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void update(std::span<const std::byte> bytes);
  /// Ends the computation; the object starts afresh.
  Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The digest of bytes that are all there.
Digest sha256(std::span<const std::byte> bytes);

}  // namespace gateway::crypto
