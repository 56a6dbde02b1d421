// Who may use the local API, and for what: clients of the configuration ([api_client.NAME]), known
// by a bearer token (kept as its SHA-256) or by a certificate, with scopes in SMART's syntax
// ("system/Observation.rs", SMART App Launch 2.0). Read once at start; thread-safe afterwards.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/result.h"

namespace gateway::daemon {

/// One letter each: create, read, update, delete, search.
struct Scope {
  std::string type;  // "*": every type
  std::string may;   // of "cruds"
};
/// Code::invalid: not of the form "system/TYPE.cruds"; .read, .write and .* of SMART 1 are taken.
core::Result<Scope> parse_scope(std::string_view text);

struct ApiClient {
  std::string name;
  std::vector<Scope> scopes;
  bool may(char what, std::string_view type) const;
};

class Access {
 public:
  /// The config was checked (check_api_clients).
  static Access from(const core::Config& config);
  /// Null: nobody of that token.
  const ApiClient* by_token(std::string_view token) const;
  /// Null: nobody of any of these names of a verified certificate.
  const ApiClient* by_certificate(const std::vector<std::string>& names) const;

 private:
  std::map<std::string, ApiClient, std::less<>> by_token_hash_;  // SHA-256 in hex
  std::map<std::string, ApiClient, std::less<>> by_name_;
};

std::vector<core::ConfigKey> api_config_keys();

struct ApiMistake {
  std::string key;
  std::string what;
};
/// What the table of keys cannot see: scopes, hashes, a client without a way to prove itself.
std::vector<ApiMistake> check_api(const core::Config& config);

}  // namespace gateway::daemon
