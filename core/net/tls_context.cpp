#include "core/net/tls_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <cstdlib>
#include <ctime>
#include <utility>

#include "core/clock.h"
#include "core/net/openssl_reason.h"
#include "core/text.h"

namespace gateway::core::net {
namespace {

constexpr char ciphers_tls12[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

std::string date_of(const ASN1_TIME* time) {
  std::tm fields{};
  char text[16];
  if (ASN1_TIME_to_tm(time, &fields) != 1 || std::strftime(text, sizeof text, "%F", &fields) == 0) {
    return "an unreadable date";
  }
  return text;
}

std::string today() { return to_instant(system_clock().wall()).substr(0, 10); }

std::string address_text(const ASN1_OCTET_STRING* bytes) {
  const unsigned char* const data = ASN1_STRING_get0_data(bytes);
  if (ASN1_STRING_length(bytes) == 4) {
    boost::asio::ip::address_v4::bytes_type v4;
    std::copy_n(data, v4.size(), v4.begin());
    return boost::asio::ip::address_v4(v4).to_string();
  }
  if (ASN1_STRING_length(bytes) == 16) {
    boost::asio::ip::address_v6::bytes_type v6;
    std::copy_n(data, v6.size(), v6.begin());
    return boost::asio::ip::address_v6(v6).to_string();
  }
  return {};
}

/// The DNS names and addresses a certificate is for, "a, b".
std::string alternative_names(X509* certificate) {
  std::string out;
  auto* const names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names, i);
    std::string text;
    if (name->type == GEN_DNS) {
      text.assign(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                  static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
    } else if (name->type == GEN_IPADD) {
      text = address_text(name->d.iPAddress);
    }
    if (text.empty()) continue;
    if (!out.empty()) out += ", ";
    out += text;
  }
  GENERAL_NAMES_free(names);
  return out;
}

// Without this OpenSSL would ask for a passphrase on the terminal of a daemon.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*unused*/) { return -1; }

bool is_address(const std::string& host) {
  boost::system::error_code not_address;
  boost::asio::ip::make_address(host, not_address);
  return !not_address;
}

/// Where the system's store lies, as OpenSSL looks for it.
std::string system_place(const char* variable, const char* usual) {
  const char* const set = ::secure_getenv(variable);
  return set == nullptr ? usual : set;
}

}  // namespace

std::vector<TlsContext::FileStamp> TlsContext::stamps_of(const TlsIdentity& identity) {
  std::vector<std::string> files{identity.certificate_file, identity.key_file, identity.ca_file};
  if (identity.ca_file.empty()) {
    files.push_back(system_place(X509_get_default_cert_file_env(), X509_get_default_cert_file()));
    files.push_back(system_place(X509_get_default_cert_dir_env(), X509_get_default_cert_dir()));
  }
  std::vector<FileStamp> stamps;
  for (const std::string& file : files) {
    struct stat found {};
    FileStamp stamp{};
    if (!file.empty() && ::stat(file.c_str(), &found) == 0) {
      stamp = {static_cast<std::int64_t>(found.st_dev), static_cast<std::int64_t>(found.st_ino),
               found.st_size, found.st_mtim.tv_sec, found.st_mtim.tv_nsec};
    }
    stamps.push_back(stamp);
  }
  return stamps;
}

Result<std::unique_ptr<TlsContext>> TlsContext::create(TlsIdentity identity) {
  SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
  if (context == nullptr) {
    return Error(Code::internal, cat("no TLS context: ", openssl_reason()));
  }
  std::unique_ptr<TlsContext> self(new TlsContext(std::move(identity), context));
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_cipher_list(context, ciphers_tls12);
  SSL_CTX_set_default_passwd_cb(context, no_passphrase);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(context, &TlsContext::verify, self.get());

  X509_VERIFY_PARAM* const rules = SSL_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_hostflags(
      rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  const std::string& host = self->identity_.host;
  const int named = is_address(host)
                        ? X509_VERIFY_PARAM_set1_ip_asc(rules, host.c_str())
                        : X509_VERIFY_PARAM_set1_host(rules, host.c_str(), host.size());
  if (named != 1) return Error(Code::invalid, cat("'", host, "' is not a host name"));
  GW_CHECK(self->load_trust());
  GW_CHECK(self->load_certificate());
  return self;
}

TlsContext::~TlsContext() {
  // A connection may hold the context longer than we live; its callback must not reach back here.
  SSL_CTX_set_cert_verify_callback(context_, nullptr, nullptr);
  SSL_CTX_free(context_);
}

Status TlsContext::load_trust() {
  ERR_clear_error();
  if (identity_.ca_file.empty()) {
    if (SSL_CTX_set_default_verify_paths(context_) == 1) return {};
    return Error(Code::invalid, cat("the system's certificate store cannot be read: ",
                                    openssl_reason(), "; install ca-certificates or set ca_file"));
  }
  // A file that pins the server's own certificate or an intermediate is a full answer to "whom do
  // we trust".
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context_), X509_V_FLAG_PARTIAL_CHAIN);
  if (SSL_CTX_load_verify_file(context_, identity_.ca_file.c_str()) == 1) return {};
  return Error(Code::invalid, cat("the CA file ", identity_.ca_file, " cannot be used: ",
                                  openssl_reason(), "; it must hold PEM certificates"));
}

Status TlsContext::load_certificate() {
  const auto& [host, ca_file, certificate_file, key_file] = identity_;
  if (certificate_file.empty() && key_file.empty()) return {};
  if (certificate_file.empty() || key_file.empty()) {
    return Error(Code::invalid, "a client certificate needs both certificate_file and key_file");
  }
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(context_, certificate_file.c_str()) != 1) {
    return Error(Code::invalid, cat("the client certificate ", certificate_file,
                                    " cannot be used: ", openssl_reason()));
  }
  if (SSL_CTX_use_PrivateKey_file(context_, key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context_) != 1) {
    return Error(Code::invalid,
                 cat("the client key ", key_file, " cannot be used: ", openssl_reason(),
                     "; it must be the key of ", certificate_file, " without a passphrase"));
  }
  return {};
}

std::unique_ptr<TlsLine> TlsContext::take(int socket) const {
  const std::string& host = identity_.host;
  return make_tls_line(context_, socket, TlsEnd::client, is_address(host) ? "" : host);
}

std::string TlsContext::take_failure() { return std::exchange(failure_, {}); }

int TlsContext::verify(X509_STORE_CTX* store, void* self) {
  const int verdict = X509_verify_cert(store);
  if (verdict > 0) return 1;
  auto* const context = static_cast<TlsContext*>(self);
  context->failure_ = context->describe(store);
  return 0;
}

std::string TlsContext::describe(X509_STORE_CTX* store) const {
  const int error = X509_STORE_CTX_get_error(store);
  X509* const certificate = X509_STORE_CTX_get_current_cert(store);
  const std::string whose = X509_STORE_CTX_get_error_depth(store) == 0
                                ? "the server's certificate"
                                : "a CA certificate of the server's chain";
  if (certificate != nullptr && error == X509_V_ERR_CERT_HAS_EXPIRED) {
    return cat(whose, " expired on ", date_of(X509_get0_notAfter(certificate)),
               " (this machine's date is ", today(), "); renew it on the server");
  }
  if (certificate != nullptr && error == X509_V_ERR_CERT_NOT_YET_VALID) {
    return cat(whose, " is not valid before ", date_of(X509_get0_notBefore(certificate)),
               " (this machine's date is ", today(), "); check the clocks");
  }
  if (error == X509_V_ERR_HOSTNAME_MISMATCH || error == X509_V_ERR_IP_ADDRESS_MISMATCH) {
    const std::string names = certificate == nullptr ? "" : alternative_names(certificate);
    return cat("the server's certificate is not for ", identity_.host,
               " (its alternative names: ", names.empty() ? "none" : names,
               "); use such a name here or renew the certificate");
  }
  const std::string trust =
      identity_.ca_file.empty() ? "the system's certificate store" : identity_.ca_file;
  return cat("the server's certificate is not trusted by ", trust, " (",
             X509_verify_cert_error_string(error), "); check ca_file or the server's chain");
}

TlsAlert describe_tls_error(unsigned long openssl_error) {
  const char* const reason = ERR_reason_error_string(openssl_error);
  TlsAlert out{false, reason == nullptr ? "unknown TLS error" : reason};
  switch (ERR_GET_REASON(openssl_error)) {
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      out.about_our_certificate = true;
      break;
    default:
      break;
  }
  return out;
}

}  // namespace gateway::core::net
