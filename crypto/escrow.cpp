#include "crypto/escrow.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <memory>

#include "core/text.h"
#include "crypto/digest.h"
#include "crypto/octets.h"

namespace gateway::crypto {
namespace {

using core::Code;
using core::Error;

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Bio = std::unique_ptr<BIO, Free>;
using Key = std::unique_ptr<EVP_PKEY, Free>;

Bio bio_of(std::string_view pem) {
  return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

/// No password is ever asked for: the daemon has no terminal.
int no_password(char*, int, int, void*) { return -1; }

bool is_x25519(const Key& key) { return key && EVP_PKEY_is_a(key.get(), "X25519") == 1; }

}  // namespace

core::Result<EscrowPublicKey> read_escrow_public_key(std::string_view pem) {
  const Key key(PEM_read_bio_PUBKEY(bio_of(pem).get(), nullptr, no_password, nullptr));
  ERR_clear_error();
  EscrowPublicKey read{std::string(kKeyBytes, '\0')};
  std::size_t size = kKeyBytes;
  if (!is_x25519(key) ||
      EVP_PKEY_get_raw_public_key(key.get(), reinterpret_cast<unsigned char*>(read.bytes.data()),
                                  &size) != 1) {
    return Error(Code::invalid,
                 "this is no X25519 public key in PEM; make it from central's escrow key with "
                 "openssl pkey -pubout");
  }
  return read;
}

core::Result<EscrowKey> read_escrow_key(std::string_view pem) {
  const Key key(PEM_read_bio_PrivateKey(bio_of(pem).get(), nullptr, no_password, nullptr));
  ERR_clear_error();
  EscrowKey read{Secret(kKeyBytes)};
  std::size_t size = kKeyBytes;
  if (!is_x25519(key) ||
      EVP_PKEY_get_raw_private_key(key.get(), raw(read.bytes.bytes()), &size) != 1) {
    return Error(Code::invalid,
                 "this is no X25519 private key in PEM, or one with a password; take the password "
                 "off with openssl pkey");
  }
  return read;
}

std::string fingerprint(const EscrowPublicKey& key) {
  return core::to_hex(as_text(sha256(as_octets(key.bytes))).substr(0, 16));
}

}  // namespace gateway::crypto
