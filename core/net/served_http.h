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
/// To a HEAD the body stays behind; its length is told (RFC 9110 9.3.2).
boost::beast::http::response<boost::beast::http::string_body> to_wire(HttpResponse answer,
                                                                      bool keep_alive,
                                                                      bool to_head = false);
HttpResponse plain_answer(int status, std::string_view text);

struct Complaint {
  int status = 0;
  std::string_view text;
};
/// What a request that Beast would not read deserves; nullopt where nobody listens any more.
std::optional<Complaint> complaint(const boost::system::error_code& error);

}  // namespace gateway::core::net
