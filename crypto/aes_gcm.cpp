#include "crypto/aes_gcm.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sodium.h>

#include <algorithm>
#include <cassert>
#include <utility>

#include "crypto/octets.h"

namespace gateway::crypto {
namespace {

const EVP_CIPHER* aes_256_gcm() {
  // Fetched once for the life of the process: an implicit fetch would cost a locked look-up at
  // every use.
  static const EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  return cipher;
}

core::Error refused() { return {core::Code::internal, "OpenSSL refused an AES-256-GCM call"}; }

}  // namespace

struct AesGcm::Context {
  Context() : evp(EVP_CIPHER_CTX_new()) {}
  ~Context() { EVP_CIPHER_CTX_free(evp); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  EVP_CIPHER_CTX* evp;
};

AesGcm::AesGcm(std::unique_ptr<Context> context) : context_(std::move(context)) {}
AesGcm::~AesGcm() = default;
AesGcm::AesGcm(AesGcm&&) noexcept = default;
AesGcm& AesGcm::operator=(AesGcm&&) noexcept = default;

core::Result<AesGcm> AesGcm::create(std::span<const std::byte> key, Direction direction) {
  if (key.size() != kKeyBytes) {
    return core::Error(core::Code::internal, "an AES-256 key must have 32 bytes");
  }
  auto context = std::make_unique<Context>();
  int encrypt = direction == Direction::seal ? 1 : 0;
  if (context->evp == nullptr || aes_256_gcm() == nullptr ||
      EVP_CipherInit_ex2(context->evp, aes_256_gcm(), raw(key), nullptr, encrypt, nullptr) != 1) {
    return refused();
  }
  return AesGcm(std::move(context));
}

core::Status AesGcm::seal(const Nonce& nonce, std::span<const std::byte> associated,
                          std::span<const std::byte> plain, std::span<std::byte> sealed) {
  assert(sealed.size() == plain.size() + kTagBytes);
  EVP_CIPHER_CTX* evp = context_->evp;
  int length = 0;
  if (EVP_CipherInit_ex2(evp, nullptr, nullptr, raw(nonce), -1, nullptr) != 1 ||
      EVP_EncryptUpdate(evp, nullptr, &length, raw(associated),
                        static_cast<int>(associated.size())) != 1) {
    return refused();
  }
  if (!plain.empty() && EVP_EncryptUpdate(evp, raw(sealed), &length, raw(plain),
                                          static_cast<int>(plain.size())) != 1) {
    return refused();
  }
  auto tag = sealed.subspan(plain.size());
  if (EVP_EncryptFinal_ex(evp, raw(tag), &length) != 1 ||
      EVP_CIPHER_CTX_ctrl(evp, EVP_CTRL_AEAD_GET_TAG, static_cast<int>(kTagBytes), tag.data()) !=
          1) {
    return refused();
  }
  return {};
}

core::Status AesGcm::open(const Nonce& nonce, std::span<const std::byte> associated,
                          std::span<const std::byte> sealed, std::span<std::byte> plain) {
  if (sealed.size() < kTagBytes)
    return core::Error(core::Code::corrupt, "sealed bytes are cut short");
  assert(plain.size() + kTagBytes == sealed.size());
  EVP_CIPHER_CTX* evp = context_->evp;
  std::array<std::byte, kTagBytes> tag;
  std::copy_n(sealed.end() - kTagBytes, kTagBytes, tag.begin());
  int length = 0;
  if (EVP_CipherInit_ex2(evp, nullptr, nullptr, raw(nonce), -1, nullptr) != 1 ||
      EVP_CIPHER_CTX_ctrl(evp, EVP_CTRL_AEAD_SET_TAG, static_cast<int>(kTagBytes), tag.data()) !=
          1 ||
      EVP_DecryptUpdate(evp, nullptr, &length, raw(associated),
                        static_cast<int>(associated.size())) != 1) {
    return refused();
  }
  if (!plain.empty() && EVP_DecryptUpdate(evp, raw(plain), &length, raw(sealed),
                                          static_cast<int>(plain.size())) != 1) {
    return refused();
  }
  std::array<unsigned char, kTagBytes> nothing;
  if (EVP_DecryptFinal_ex(evp, nothing.data(), &length) != 1) {
    OPENSSL_cleanse(plain.data(), plain.size());
    return core::Error(core::Code::corrupt, "sealed bytes fail their authentication");
  }
  return {};
}

core::Result<WrappedKey> wrap_key(const Secret& wrapping, const Secret& key,
                                  std::span<const std::byte> associated) {
  assert(key.size() == kKeyBytes);
  WrappedKey wrapped;
  Nonce nonce;
  randombytes_buf(nonce.data(), nonce.size());
  std::copy(nonce.begin(), nonce.end(), wrapped.begin());
  GW_TRY(AesGcm cipher, AesGcm::create(wrapping.bytes(), AesGcm::Direction::seal));
  GW_CHECK(cipher.seal(nonce, associated, key.bytes(), std::span(wrapped).subspan(kNonceBytes)));
  return wrapped;
}

core::Result<Secret> unwrap_key(const Secret& wrapping, std::span<const std::byte> wrapped,
                                std::span<const std::byte> associated) {
  if (wrapped.size() != kWrappedKeyBytes) {
    return core::Error(core::Code::corrupt, "a wrapped key has the wrong length");
  }
  Nonce nonce;
  std::copy_n(wrapped.begin(), kNonceBytes, nonce.begin());
  Secret key(kKeyBytes);
  GW_TRY(AesGcm cipher, AesGcm::create(wrapping.bytes(), AesGcm::Direction::open));
  GW_CHECK(cipher.open(nonce, associated, wrapped.subspan(kNonceBytes), key.bytes()));
  return key;
}

}  // namespace gateway::crypto
