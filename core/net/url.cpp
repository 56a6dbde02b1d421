#include "core/net/url.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <charconv>

#include "core/net/http.h"
#include "core/text.h"

namespace gateway::core::net {
namespace {

Error wrong(std::string_view why) {
  return {Code::invalid, cat("the URL ", why, "; write https://HOST[:PORT][/PATH]")};
}

bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
         c == ':';
}

Result<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const char* const text_end = text.data() + text.size();
  const auto [end, code] = std::from_chars(text.data(), text_end, port);
  if (code != std::errc() || end != text_end || port == 0) {
    return wrong("has a port that is not 1 to 65535");
  }
  return port;
}

/// Splits "host", "host:port", "[v6]" or "[v6]:port".
Status parse_authority(std::string_view text, Url& url) {
  std::string_view port;
  bool port_given = false;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == text.npos) return wrong("has '[' without ']'");
    url.host = to_lower_ascii(text.substr(1, close - 1));
    const auto rest = text.substr(close + 1);
    port_given = !rest.empty();
    if (port_given && rest[0] != ':') return wrong("has something after ']' that is no port");
    if (port_given) port = rest.substr(1);
  } else {
    const auto colon = text.find(':');
    url.host = to_lower_ascii(text.substr(0, colon));
    port_given = colon != text.npos;
    if (port_given) port = text.substr(colon + 1);
  }
  if (url.host.empty() || !std::all_of(url.host.begin(), url.host.end(), is_host_character)) {
    return wrong("names no host");
  }
  if (!port_given) return {};
  GW_TRY(url.port, parse_port(port));
  return {};
}

}  // namespace

std::string Url::peer() const {
  return host.find(':') == host.npos ? cat(host, ':', port) : cat('[', host, "]:", port);
}

std::string Url::host_header() const {
  if (port != (tls ? 443 : 80)) return peer();
  return host.find(':') == host.npos ? host : cat('[', host, ']');
}

bool Url::loopback() const {
  if (host == "localhost") return true;
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(host, error);
  return !error && address.is_loopback();
}

Result<Url> parse_url(std::string_view text) {
  Url url;
  if (text.starts_with("https://")) {
    text.remove_prefix(8);
  } else if (text.starts_with("http://")) {
    text.remove_prefix(7);
    url.tls = false;
    url.port = 80;
  } else {
    return wrong("starts with neither https:// nor http://");
  }
  const auto odd = [](char c) { return c <= ' ' || c == 0x7f || c == '?' || c == '#' || c == '@'; };
  if (std::any_of(text.begin(), text.end(), odd)) {
    return wrong("holds a blank, '?', '#' or '@'");
  }
  const auto slash = text.find('/');
  if (slash != text.npos) url.base = text.substr(slash);
  while (url.base.ends_with('/')) url.base.pop_back();
  GW_CHECK(parse_authority(text.substr(0, slash), url));
  return url;
}

std::string url_encode(std::string_view text) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

}  // namespace gateway::core::net
