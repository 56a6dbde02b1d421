#include "core/net/http_tunnel.h"

#include <algorithm>

#include "core/text.h"

namespace gateway::core::net {

Result<HttpProxy> read_proxy(std::string_view url, std::string_view username,
                             std::string_view password) {
  HttpProxy proxy;
  GW_TRY(proxy.url, parse_url(url));
  if (proxy.url.tls || !proxy.url.base.empty()) {
    return Error(Code::invalid, "a proxy is written http://HOST:PORT, with nothing behind it");
  }
  if (!username.empty()) proxy.authorization = basic_authorization(username, password);
  return proxy;
}

std::string tunnel_request(const HttpProxy& proxy, const Url& server) {
  std::string text = cat("CONNECT ", server.peer(), " HTTP/1.1\r\nHost: ", server.peer(), "\r\n");
  if (!proxy.authorization.empty())
    text += cat("Proxy-Authorization: ", proxy.authorization, "\r\n");
  return text + "\r\n";
}

Result<bool> TunnelAnswer::take(std::string_view bytes) {
  const auto refused = [&](std::string_view why) {
    return Error(Code::unavailable,
                 cat(server_.peer(), " by the proxy ", proxy_.url.peer(), ": ", why));
  };
  // The reader looks at whole heads only, which a mail server, for one, never sends.
  constexpr std::string_view kBegins = "HTTP/1.";
  const std::string_view expected = kBegins.substr(std::min(taken_, kBegins.size()));
  const std::size_t compared = std::min(expected.size(), bytes.size());
  const bool speaks_http = bytes.substr(0, compared) == expected.substr(0, compared);
  taken_ += bytes.size();
  if (!speaks_http || !reader_.take(bytes).ok() || taken_ > kAnswerMax) {
    return refused("what answered is no HTTP proxy; check the proxy's address and port");
  }
  if (!reader_.done()) return false;
  const int status = reader_.take_response().status;
  if (status / 100 == 2) return true;
  if (status == 407 || status == 401) {  // 401: tinyproxy, of a wrong password
    return refused(proxy_.authorization.empty()
                       ? "it wants a user name and password; set proxy_username and "
                         "proxy_password_file"
                       : "it does not take the user name and password; check proxy_username and "
                         "proxy_password_file");
  }
  return refused(cat("it answered ", status,
                     "; ask who runs it to let this gateway through to that server and port"));
}

}  // namespace gateway::core::net
