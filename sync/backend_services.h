// SMART Backend Services (SMART App Launch 2.x): an access token is asked for with an assertion
// signed by our own key (RFC 7523), shown with every request, and renewed before it ends.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>

#include "core/clock.h"
#include "core/net/http.h"
#include "crypto/jose_key.h"

namespace gateway::sync {

struct BackendServicesOptions {
  std::string token_url;  // also the assertion's audience
  std::string client_id;
  std::string key_id;  // `kid` of the key that the server holds
  std::string scope;
};

/// What makes an assertion: pure but for its id.
core::Result<std::string> client_assertion(const BackendServicesOptions& options,
                                           const crypto::JoseKey& key, core::Wall now,
                                           const std::string& id);

/// `server` behind tokens that `token_server` (a client of the token URL's host) gives. Requests
/// wait for a token; an answer 401 costs the token and is tried once more, where the body is not a
/// source. The clock is put right by the token server's Date header. Without a token the errors of
/// HttpClient, and Code::unavailable with what the token server said.
std::shared_ptr<core::net::HttpClient> with_backend_services(
    boost::asio::any_io_executor loop, std::shared_ptr<core::net::HttpClient> server,
    std::shared_ptr<core::net::HttpClient> token_server, BackendServicesOptions options,
    std::unique_ptr<crypto::JoseKey> key, const core::Clock& clock);

}  // namespace gateway::sync
