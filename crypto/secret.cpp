#include "crypto/secret.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <sodium.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "core/log.h"
#include "crypto/octets.h"

namespace gateway::crypto {
namespace {

constexpr std::string_view kHkdfSalt = "clinic-gateway root key v1";

void warn_once_about_swap() {
  static std::atomic<bool> warned{false};
  if (warned.exchange(true)) return;
  core::log_warn("crypto",
                 "key material could not be locked in memory and may reach the swap device; raise "
                 "LimitMEMLOCK of the service or turn swap off");
}

std::byte* map_locked(std::size_t size) {
  static const bool ready = sodium_init() >= 0;
  void* memory = ready ? sodium_malloc(size) : nullptr;
  if (memory == nullptr) throw std::bad_alloc();
  // sodium_malloc locks its pages but tells nobody when that failed; locking a locked page is free.
  if (sodium_mlock(memory, size) != 0) warn_once_about_swap();
  sodium_memzero(memory, size);
  return static_cast<std::byte*>(memory);
}

/// Slots for keys in one locked mapping: a mapping with guard pages of its own for each key costs
/// ten system calls, and every sealed object has a key. Thread-safe.
class KeySlots {
 public:
  static constexpr std::size_t kSlotBytes = 64;

  KeySlots() : memory_(map_locked(kSlots * kSlotBytes)) {
    free_.reserve(kSlots);
    for (std::size_t i = kSlots; i > 0; --i) free_.push_back(memory_ + (i - 1) * kSlotBytes);
  }
  /// nullptr when all are lent.
  std::byte* lend() {
    std::lock_guard lock(mutex_);
    if (free_.empty()) return nullptr;
    std::byte* slot = free_.back();
    free_.pop_back();
    return slot;
  }
  /// False when the memory is not of these slots.
  bool give_back(std::byte* slot) {
    if (slot < memory_ || slot >= memory_ + kSlots * kSlotBytes) return false;
    sodium_memzero(slot, kSlotBytes);
    std::lock_guard lock(mutex_);
    free_.push_back(slot);
    return true;
  }

 private:
  static constexpr std::size_t kSlots = 256;
  std::byte* const memory_;
  std::mutex mutex_;
  std::vector<std::byte*> free_;
};

KeySlots& key_slots() {
  // Never destroyed: static objects may hold secrets to the very end of the process.
  static KeySlots& slots = *new KeySlots();
  return slots;
}

std::byte* allocate_locked(std::size_t size) {
  std::byte* slot = size <= KeySlots::kSlotBytes ? key_slots().lend() : nullptr;
  return slot != nullptr ? slot : map_locked(size);
}

void free_locked(std::byte* memory) {
  if (memory != nullptr && !key_slots().give_back(memory)) sodium_free(memory);
}

}  // namespace

Secret::Secret(std::size_t size) : data_(size > 0 ? allocate_locked(size) : nullptr), size_(size) {}

Secret Secret::random(std::size_t size) {
  Secret secret(size);
  if (size > 0) randombytes_buf(secret.data_, size);
  return secret;
}

Secret Secret::copy_of(std::span<const std::byte> bytes) {
  Secret secret(bytes.size());
  std::copy(bytes.begin(), bytes.end(), secret.data_);
  return secret;
}

Secret Secret::copy_of(std::string_view text) { return copy_of(as_octets(text)); }

Secret::Secret(Secret&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Secret& Secret::operator=(Secret&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

Secret::~Secret() { free_locked(data_); }

Secret Secret::clone() const { return copy_of(bytes()); }

bool same_secret(const Secret& one, const Secret& other) {
  return one.size() == other.size() &&
         sodium_memcmp(one.bytes().data(), other.bytes().data(), one.size()) == 0;
}

core::Result<Secret> derive_key(const Secret& root, std::string_view label) {
  if (root.size() != kKeyBytes) {
    return core::Error(core::Code::internal, "the root key must have 32 bytes");
  }
  return derive_from(root.bytes(), label);
}

core::Result<Secret> derive_from(std::span<const std::byte> material, std::string_view label) {
  EVP_KDF* kdf = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
  EVP_KDF_CTX* context = EVP_KDF_CTX_new(kdf);
  EVP_KDF_free(kdf);
  Secret key(kKeyBytes);
  char digest[] = "SHA256";
  // OpenSSL's parameter lists are not const-correct; none of these is written to.
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, const_cast<std::byte*>(material.data()),
                                        material.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, const_cast<char*>(kHkdfSalt.data()),
                                        kHkdfSalt.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, const_cast<char*>(label.data()),
                                        label.size()),
      OSSL_PARAM_construct_end()};
  bool derived =
      context != nullptr && EVP_KDF_derive(context, raw(key.bytes()), key.size(), parameters) == 1;
  EVP_KDF_CTX_free(context);
  if (!derived) return core::Error(core::Code::internal, "OpenSSL refused to derive a key");
  return key;
}

}  // namespace gateway::crypto
