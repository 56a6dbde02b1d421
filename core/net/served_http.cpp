#include "core/net/served_http.h"

#include "core/civil_time.h"
#include "core/text.h"

namespace gateway::core::net {

namespace http = boost::beast::http;

void put_head(http::fields& head, const Headers& headers) {
  head.set(http::field::date, to_http_date(system_clock().wall()));
  for (const auto& [name, value] : headers) head.insert(name, value);
}

Headers headers_of(const http::fields& fields) {
  Headers out;
  for (const auto& field : fields) {
    out.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  return out;
}

http::response<http::string_body> to_wire(HttpResponse answer, bool keep_alive, bool to_head) {
  http::response<http::string_body> out(static_cast<http::status>(answer.status), http11);
  put_head(out, answer.headers);
  out.keep_alive(keep_alive);
  if (to_head && !answer.body.empty()) {
    out.content_length(answer.body.size());
    return out;
  }
  if (to_head && answer.stream) return out;
  out.body() = std::move(answer.body);
  out.prepare_payload();
  return out;
}

HttpResponse plain_answer(int status, std::string_view text) {
  return {status, {{"Content-Type", "text/plain"}}, cat(text, '\n')};
}

std::optional<Complaint> complaint(const boost::system::error_code& error) {
  if (error == http::error::body_limit) return Complaint{413, "the request is too large"};
  if (error == http::error::header_limit) return Complaint{431, "the request head is too large"};
  const bool malformed =
      error.category() == http::make_error_code(http::error::bad_line_ending).category();
  if (!malformed || error == http::error::end_of_stream || error == http::error::partial_message) {
    return std::nullopt;
  }
  return Complaint{400, "this is not HTTP"};
}

}  // namespace gateway::core::net
