#include "crypto/jose_key.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <utility>

#include "core/text.h"
#include "crypto/base64url.h"

namespace gateway::crypto {
namespace {

using core::Code;
using core::Error;

constexpr int kCoordinate = 48;  // bytes of one, P-384
constexpr int kRsaBitsMin = 2'048;

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;

/// JWS wants r and s side by side where OpenSSL writes a DER sequence of them (RFC 7518 3.4).
core::Result<std::string> side_by_side(const std::string& der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const std::unique_ptr<ECDSA_SIG, Freed<ECDSA_SIG_free>> parts(
      d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  std::string joined(std::size_t{2} * kCoordinate, '\0');
  auto* out = reinterpret_cast<unsigned char*>(joined.data());
  if (!parts || BN_bn2binpad(ECDSA_SIG_get0_r(parts.get()), out, kCoordinate) != kCoordinate ||
      BN_bn2binpad(ECDSA_SIG_get0_s(parts.get()), out + kCoordinate, kCoordinate) != kCoordinate) {
    return Error(Code::internal, "a signature is not of P-384");
  }
  return joined;
}

class OpensslJoseKey final : public JoseKey {
 public:
  OpensslJoseKey(Key key, bool is_rsa) : key_(std::move(key)), is_rsa_(is_rsa) {}

  std::string_view algorithm() const override { return is_rsa_ ? "RS384" : "ES384"; }

  core::Result<std::string> sign(std::string_view header, std::string_view claims) const override {
    std::string token = core::cat(to_base64url(header), '.', to_base64url(claims));
    GW_TRY(std::string signature, signature_of(token));
    if (!is_rsa_) {
      GW_TRY(signature, side_by_side(signature));
    }
    return core::cat(token, '.', to_base64url(signature));
  }

 private:
  core::Result<std::string> signature_of(const std::string& text) const {
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    const std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
    std::size_t size = 0;
    std::string signature;
    const auto out = [&] { return reinterpret_cast<unsigned char*>(signature.data()); };
    if (!context ||
        EVP_DigestSignInit(context.get(), nullptr, EVP_sha384(), nullptr, key_.get()) != 1 ||
        EVP_DigestSign(context.get(), nullptr, &size, bytes, text.size()) != 1)
      return Error(Code::internal, "OpenSSL cannot sign with this key");
    signature.resize(size);
    if (EVP_DigestSign(context.get(), out(), &size, bytes, text.size()) != 1)
      return Error(Code::internal, "OpenSSL cannot sign with this key");
    signature.resize(size);
    return signature;
  }

  Key key_;
  bool is_rsa_;
};

bool is_p384(EVP_PKEY* key) {
  char group[32] = {};
  return EVP_PKEY_get_group_name(key, group, sizeof group, nullptr) == 1 &&
         std::string_view(group) == "secp384r1";
}

}  // namespace

core::Result<std::unique_ptr<JoseKey>> JoseKey::read(std::string_view pem) {
  const std::unique_ptr<BIO, Freed<BIO_free_all>> text(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  // Nobody is there to be asked for a passphrase.
  constexpr auto kNone = [](char*, int, int, void*) { return 0; };
  Key key(text ? PEM_read_bio_PrivateKey(text.get(), nullptr, kNone, nullptr) : nullptr);
  if (!key) return Error(Code::invalid, "it holds no private key in PEM without a passphrase");
  const int kind = EVP_PKEY_get_base_id(key.get());
  const bool is_rsa = kind == EVP_PKEY_RSA && EVP_PKEY_get_bits(key.get()) >= kRsaBitsMin;
  if (!is_rsa && !(kind == EVP_PKEY_EC && is_p384(key.get()))) {
    return Error(Code::invalid,
                 "the key must be of P-384 (for ES384) or RSA of 2048 bits or more (for RS384); "
                 "make one with openssl ecparam -name secp384r1 -genkey -noout");
  }
  return std::unique_ptr<JoseKey>(std::make_unique<OpensslJoseKey>(std::move(key), is_rsa));
}

}  // namespace gateway::crypto
