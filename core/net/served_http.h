// Between Beast's messages and ours, for the servers of this folder.
#pragma once

#include <boost/beast/http.hpp>
#include <optional>
#include <string_view>

#include "core/net/http.h"

namespace gateway::core::net {

inline constexpr unsigned http11 = 11;

Headers headers_of(const boost::beast::http::fields& fields);
boost::beast::http::response<boost::beast::http::string_body> to_wire(HttpResponse answer,
                                                                      bool keep_alive);
HttpResponse plain_answer(int status, std::string_view text);
/// What a request that Beast would not read deserves; nullopt where nobody listens any more.
std::optional<HttpResponse> complaint(const boost::system::error_code& error);

}  // namespace gateway::core::net
