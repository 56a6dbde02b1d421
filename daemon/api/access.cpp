#include "daemon/api/access.h"

#include <algorithm>

#include "core/text.h"
#include "crypto/digest.h"
#include "crypto/octets.h"

namespace gateway::daemon {
namespace {

using core::cat;
using core::Code;
using core::ConfigKey;
using core::Error;
using core::KeyType;

constexpr std::size_t kHashLength = 64;

std::string hash_of(std::string_view token) {
  const crypto::Digest digest = crypto::sha256(crypto::as_octets(token));
  return core::to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

std::string key_of(const std::string& client, std::string_view last) {
  return cat("api_client.", client, ".", last);
}

bool is_hash(std::string_view text) {
  return text.size() == kHashLength && core::from_hex(text).size() * 2 == kHashLength;
}

bool is_letters(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
}

}  // namespace

core::Result<Scope> parse_scope(std::string_view text) {
  const Error wrong(Code::invalid, cat("\"", text,
                                       "\" is no scope; write system/TYPE.cruds, with * for every "
                                       "type and those of the letters that are allowed"));
  constexpr std::string_view kContext = "system/";
  const auto dot = text.find('.');
  if (!text.starts_with(kContext) || dot == std::string_view::npos) return wrong;
  Scope scope;
  scope.type = text.substr(kContext.size(), dot - kContext.size());
  if (scope.type != "*" && !is_letters(scope.type)) return wrong;
  const std::string_view may = text.substr(dot + 1);
  if (may == "*") {
    scope.may = "cruds";
  } else if (may == "read") {
    scope.may = "rs";
  } else if (may == "write") {
    scope.may = "cud";
  } else {
    scope.may = may;
  }
  // The letters in their order, each once (SMART 2.0, 3.0.2).
  std::size_t at = 0;
  for (const char letter : scope.may) {
    at = std::string_view("cruds").find(letter, at);
    if (at == std::string_view::npos) return wrong;
    ++at;
  }
  if (scope.may.empty()) return wrong;
  return scope;
}

bool ApiClient::may(char what, std::string_view type) const {
  return std::any_of(scopes.begin(), scopes.end(), [&](const Scope& scope) {
    return (scope.type == "*" || scope.type == type) && scope.may.find(what) != std::string::npos;
  });
}

Access Access::from(const core::Config& config) {
  Access access;
  for (const std::string& name : config.names("api_client")) {
    ApiClient client{name, {}};
    for (const std::string& text : config.texts(key_of(name, "scopes"))) {
      if (auto scope = parse_scope(text); scope.ok()) client.scopes.push_back(std::move(*scope));
    }
    const std::string hash = core::to_lower_ascii(config.text(key_of(name, "token_sha256")));
    if (!hash.empty()) access.by_token_hash_.emplace(hash, client);
    const std::string certificate = config.text(key_of(name, "certificate_name"));
    if (!certificate.empty()) access.by_name_.emplace(certificate, client);
  }
  return access;
}

const ApiClient* Access::by_token(std::string_view token) const {
  // The look-up's time tells of the hash only, which leads to no token.
  const auto found = by_token_hash_.find(hash_of(token));
  return found == by_token_hash_.end() ? nullptr : &found->second;
}

const ApiClient* Access::by_certificate(const std::vector<std::string>& names) const {
  for (const std::string& name : names) {
    if (const auto found = by_name_.find(name); found != by_name_.end()) return &found->second;
  }
  return nullptr;
}

std::vector<ConfigKey> api_config_keys() {
  return {
      {.path = "api.port",
       .type = KeyType::integer,
       .meaning = "port of the local FHIR API over HTTPS; without it there is none",
       .minimum = 1,
       .maximum = 65535},
      {.path = "api.bind",
       .meaning = "address the local API listens on",
       .default_text = "\"0.0.0.0\""},
      {.path = "api.certificate_file", .meaning = "its certificate, PEM chain"},
      {.path = "api.key_file", .meaning = "private key of api.certificate_file, PEM"},
      {.path = "api.client_ca_file",
       .meaning = "PEM file of the authority of client certificates; without it tokens only"},
      {.path = "api_client.*.scopes",
       .type = KeyType::text_list,
       .meaning = "what the client may do: system/TYPE.cruds, * for every type",
       .required = true},
      {.path = "api_client.*.token_sha256", .meaning = "SHA-256 of its bearer token, in hex"},
      {.path = "api_client.*.certificate_name",
       .meaning = "common name or DNS name of its certificate"},
  };
}

std::vector<ApiMistake> check_api(const core::Config& config) {
  std::vector<ApiMistake> mistakes;
  if (config.has("api.port")) {
    for (const char* key : {"api.certificate_file", "api.key_file"}) {
      if (!config.has(key)) mistakes.push_back({"api.port", cat("the API needs ", key, " too")});
    }
  }
  for (const std::string& name : config.names("api_client")) {
    const std::string scopes = key_of(name, "scopes");
    for (const std::string& text : config.texts(scopes)) {
      if (auto scope = parse_scope(text); !scope.ok())
        mistakes.push_back({scopes, scope.error().message()});
    }
    const std::string hash = key_of(name, "token_sha256");
    const std::string certificate = key_of(name, "certificate_name");
    if (config.has(hash) && !is_hash(config.text(hash)))
      mistakes.push_back({hash, "must be 64 hexadecimal digits: printf %s TOKEN | sha256sum"});
    if (!config.has(hash) && !config.has(certificate)) {
      mistakes.push_back({scopes, cat("the client has no token_sha256 and no certificate_name: it "
                                      "could never prove who it is")});
    }
    if (config.has(certificate) && !config.has("api.client_ca_file")) {
      mistakes.push_back({certificate, "client certificates need api.client_ca_file"});
    }
  }
  return mistakes;
}

}  // namespace gateway::daemon
