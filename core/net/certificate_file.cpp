#include "core/net/certificate_file.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <ctime>
#include <memory>
#include <optional>

#include "core/text.h"

namespace gateway::core::net {
namespace {

struct Freed {
  void operator()(BIO* file) const { BIO_free(file); }
  void operator()(X509* certificate) const { X509_free(certificate); }
};

std::string common_name(const X509* certificate) {
  char name[256] = "";
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
  return name;
}

std::optional<std::tm> last_moment(const X509* certificate) {
  std::tm fields{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &fields) != 1) return std::nullopt;
  return fields;
}

}  // namespace

Result<CertificateDates> read_certificate_dates(const std::string& path, Wall now) {
  const std::unique_ptr<BIO, Freed> file(BIO_new_file(path.c_str(), "r"));
  const std::int64_t now_s = std::chrono::system_clock::to_time_t(now);
  std::optional<CertificateDates> found;
  while (file) {
    const std::unique_ptr<X509, Freed> one(
        PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr));
    if (!one) break;
    auto fields = last_moment(one.get());
    if (!fields) continue;
    const std::int64_t ends_at_s = ::timegm(&*fields);
    if (found && found->ends_at_s <= ends_at_s) continue;
    char day[16] = "";
    std::strftime(day, sizeof day, "%F", &*fields);
    const std::int64_t left_s = ends_at_s - now_s;
    // A day that has begun to be over counts as over.
    const std::int64_t days = left_s >= 0 ? left_s / 86'400 : -((-left_s + 86'399) / 86'400);
    found = {found ? found->subject : common_name(one.get()), day, days, ends_at_s};
  }
  ERR_clear_error();
  if (found) return *found;
  return Error(Code::invalid, cat(path, " holds no certificate that can be read; it must be PEM"));
}

}  // namespace gateway::core::net
