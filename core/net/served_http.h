// Between Beast's messages and ours, for the servers of this folder.
#pragma once

#include <boost/beast/http.hpp>
#include <optional>
#include <string_view>

#include "core/net/http.h"

namespace gateway::core::net {

inline constexpr unsigned http11 = 11;

/// The answer's own headers and the time (RFC 9110 6.6.1): who reads from a server in the order of
/// its time has to know how late it is there.
void put_head(boost::beast::http::fields& head, const Headers& headers);
Headers headers_of(const boost::beast::http::fields& fields);
boost::beast::http::response<boost::beast::http::string_body> to_wire(HttpResponse answer,
                                                                      bool keep_alive);
HttpResponse plain_answer(int status, std::string_view text);
/// What a request that Beast would not read deserves; nullopt where nobody listens any more.
std::optional<HttpResponse> complaint(const boost::system::error_code& error);

}  // namespace gateway::core::net
