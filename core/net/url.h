// Base URLs as the configuration writes them (RFC 3986, http and https only).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace gateway::core::net {

struct Url {
  bool tls = true;
  std::string host;  // DNS name or address, an IPv6 one without its brackets
  std::uint16_t port = 443;
  std::string base;  // path without a trailing '/', empty for none

  /// HOST:PORT for people, an IPv6 address in brackets.
  std::string peer() const;
  /// The Host header: the port only where it is not the scheme's own.
  std::string host_header() const;
  bool loopback() const;
};

/// Code::invalid names what is wrong. User names, queries and fragments are refused: secrets do not
/// belong in a URL.
Result<Url> parse_url(std::string_view text);

}  // namespace gateway::core::net
