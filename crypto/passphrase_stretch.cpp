#include "crypto/passphrase_stretch.h"

#include <sodium.h>

#include <algorithm>
#include <chrono>

#include "core/ids.h"
#include "core/text.h"
#include "crypto/octets.h"

namespace gateway::crypto {
namespace {

constexpr std::uint64_t kPassesMin = 4;  // twice the interactive limit, for half its memory
constexpr std::uint64_t kPassesMax = 64;
constexpr auto kTargetTime = std::chrono::milliseconds(500);

static_assert(kPassphraseMemoryBytes >= crypto_pwhash_MEMLIMIT_INTERACTIVE / 2);

}  // namespace

bool is_bearable(PassphraseCost cost) {
  return cost.passes >= 1 && cost.passes <= kPassesMax &&
         cost.memory_bytes >= crypto_pwhash_MEMLIMIT_MIN &&
         cost.memory_bytes <= kPassphraseMemoryBytes;
}

std::string new_passphrase_salt() { return core::random_bytes(crypto_pwhash_SALTBYTES); }

bool is_passphrase_salt(std::string_view salt) { return salt.size() == crypto_pwhash_SALTBYTES; }

core::Result<Secret> stretch(const Passphrase& passphrase, std::string_view salt,
                             PassphraseCost cost) {
  Secret key(kKeyBytes);
  // libsodium takes no null pointer, not even of an empty passphrase.
  const std::string_view text =
      passphrase.text.empty() ? std::string_view("") : as_text(passphrase.text.bytes());
  const int failed = crypto_pwhash(
      raw(key.bytes()), key.size(), text.data(), text.size(), raw(as_octets(salt)), cost.passes,
      static_cast<std::size_t>(cost.memory_bytes), crypto_pwhash_ALG_ARGON2ID13);
  if (failed != 0) {
    return core::Error(core::Code::internal,
                       core::cat("Argon2id needs ", cost.memory_bytes >> 20,
                                 " MiB of memory for a moment and did not get them; free some"));
  }
  return key;
}

core::Result<PassphraseCost> measure_passphrase_cost(const core::Clock& clock) {
  PassphraseCost cost{kPassesMin, kPassphraseMemoryBytes};
  Passphrase probe{Secret(kKeyBytes)};
  std::string salt(crypto_pwhash_SALTBYTES, '\0');
  auto begun = clock.monotonic();
  GW_TRY(Secret unused, stretch(probe, salt, cost));
  auto taken = clock.monotonic() - begun;
  if (taken <= core::Monotonic::duration::zero()) return cost;
  auto passes =
      static_cast<std::uint64_t>(kTargetTime * static_cast<std::int64_t>(kPassesMin) / taken);
  cost.passes = std::clamp(passes, kPassesMin, kPassesMax);
  return cost;
}

}  // namespace gateway::crypto
