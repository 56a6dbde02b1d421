#include "tests/fakes/certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <stdexcept>

namespace gateway::fakes {
namespace {

struct Freed {
  void operator()(X509* p) const { X509_free(p); }
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
  void operator()(std::FILE* p) const { std::fclose(p); }
  void operator()(X509_EXTENSION* p) const { X509_EXTENSION_free(p); }
};
using Certificate = std::unique_ptr<X509, Freed>;
using Key = std::unique_ptr<EVP_PKEY, Freed>;
using OpenFile = std::unique_ptr<std::FILE, Freed>;

void require(bool good, const char* what) {
  if (!good) throw std::runtime_error(what);
}

OpenFile open_for_writing(const std::string& path) {
  OpenFile file(std::fopen(path.c_str(), "w"));
  require(file != nullptr, "a test certificate cannot be written");
  return file;
}

Key new_key() {
  Key key(EVP_EC_gen("P-256"));
  require(key != nullptr, "no test key");
  return key;
}

void add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, Freed> extension(
      X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  require(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1,
          "bad extension");
}

Certificate new_certificate(const std::string& name, EVP_PKEY* key, int days_from, int days_until) {
  static long serial = 1;
  Certificate certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), ++serial);
  constexpr long day_s = 24 * 60 * 60;
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), days_from * day_s);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), days_until * day_s);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_pubkey(certificate.get(), key);
  return certificate;
}

std::string alternative_names(const TestCa::Request& request) {
  std::string out;
  const auto add = [&out](const char* kind, const std::string& name) {
    if (!out.empty()) out += ',';
    out += kind + name;
  };
  for (const auto& name : request.dns_names) add("DNS:", name);
  for (const auto& address : request.addresses) add("IP:", address);
  return out;
}

void write_certificate(const std::string& path, X509* certificate) {
  const auto file = open_for_writing(path);
  require(PEM_write_X509(file.get(), certificate) == 1, "a test certificate cannot be written");
}

}  // namespace

TestFolder::TestFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "gateway-test-XXXXXX").string();
  require(::mkdtemp(pattern.data()) != nullptr, "no folder for the test");
  folder_ = pattern;
}

TestFolder::~TestFolder() {
  std::error_code ignored;  // a left-over folder does not fail a test
  std::filesystem::remove_all(folder_, ignored);
}

struct TestCa::Keys {
  Key key;
  Certificate certificate;
};

TestCa::TestCa(const TestFolder& folder, const std::string& name)
    : folder_(folder), keys_(std::make_unique<Keys>()), file_(folder.path(name + ".pem")) {
  keys_->key = new_key();
  keys_->certificate = new_certificate(name, keys_->key.get(), -100, 100);
  X509* const certificate = keys_->certificate.get();
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(certificate, certificate, NID_subject_key_identifier, "hash");
  require(X509_sign(certificate, keys_->key.get(), EVP_sha256()) > 0, "the test CA cannot sign");
  write_certificate(file_, certificate);
}

TestCa::~TestCa() = default;

CertificateFiles TestCa::issue(const Request& request) const {
  const Key key = new_key();
  const Certificate certificate =
      new_certificate(request.name, key.get(), request.days_from, request.days_until);
  X509* const issuer = keys_->certificate.get();
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer));
  const std::string names = alternative_names(request);
  if (!names.empty()) add_extension(certificate.get(), issuer, NID_subject_alt_name, names);
  require(X509_sign(certificate.get(), keys_->key.get(), EVP_sha256()) > 0,
          "the test CA cannot sign");
  CertificateFiles files{folder_.path(request.name + ".crt.pem"),
                         folder_.path(request.name + ".key.pem")};
  write_certificate(files.certificate, certificate.get());
  const auto file = open_for_writing(files.key);
  require(PEM_write_PrivateKey(file.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1,
          "a test key cannot be written");
  return files;
}

}  // namespace gateway::fakes
