#include "crypto/pem_key.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <memory>

#include "core/text.h"
#include "crypto/octets.h"

namespace gateway::crypto {
namespace {

using core::cat;
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

bool is_of(const Key& key, const char* type) { return key && EVP_PKEY_is_a(key.get(), type) == 1; }

}  // namespace

core::Result<std::string> raw_public_key(std::string_view pem, const char* type) {
  const Key key(PEM_read_bio_PUBKEY(bio_of(pem).get(), nullptr, no_password, nullptr));
  ERR_clear_error();
  std::string read(kKeyBytes, '\0');
  std::size_t size = kKeyBytes;
  if (!is_of(key, type) ||
      EVP_PKEY_get_raw_public_key(key.get(), reinterpret_cast<unsigned char*>(read.data()),
                                  &size) != 1) {
    return Error(Code::invalid, cat("this is no ", type,
                                    " public key in PEM; make it from the private key with "
                                    "openssl pkey -pubout"));
  }
  return read;
}

core::Result<Secret> raw_private_key(std::string_view pem, const char* type) {
  const Key key(PEM_read_bio_PrivateKey(bio_of(pem).get(), nullptr, no_password, nullptr));
  ERR_clear_error();
  Secret read(kKeyBytes);
  std::size_t size = kKeyBytes;
  if (!is_of(key, type) || EVP_PKEY_get_raw_private_key(key.get(), raw(read.bytes()), &size) != 1) {
    return Error(Code::invalid, cat("this is no ", type,
                                    " private key in PEM, or one with a password; take the "
                                    "password off with openssl pkey"));
  }
  return read;
}

}  // namespace gateway::crypto
