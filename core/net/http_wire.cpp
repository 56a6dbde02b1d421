#include "core/net/http_wire.h"

#include <algorithm>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>
#include <utility>

#include "core/text.h"

namespace gateway::core::net {
namespace {

namespace http = boost::beast::http;

constexpr std::uint32_t head_max = 64 * 1024;

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c < 0x7f &&
           std::string_view("\"(),/:;<=>?@[\\]{}").find(c) == std::string_view::npos;
  });
}

bool is_header_value(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) < ' ' && c != '\t') || c == 0x7f;
  });
}

bool is_target(std::string_view text) {
  return (text.starts_with('/') || text.starts_with('?')) &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

std::string base64(std::string_view bytes) {
  static constexpr char alphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      const auto byte = at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0U;
      group = group << 8 | byte;
    }
    for (std::size_t i = 0; i < 4; ++i) {
      const bool padding = at + i > bytes.size();
      out += padding ? '=' : alphabet[group >> (18 - 6 * i) & 63];
    }
  }
  return out;
}

}  // namespace

std::string_view HttpResponse::header(std::string_view name) const {
  const std::string wanted = to_lower_ascii(name);
  for (const auto& [header_name, value] : headers) {
    if (to_lower_ascii(header_name) == wanted) return value;
  }
  return {};
}

std::string basic_authorization(std::string_view username, std::string_view password) {
  return cat("Basic ", base64(cat(username, ':', password)));
}

Result<std::string> request_head(const HttpRequest& request, const Url& url,
                                 std::string_view authorization,
                                 std::optional<std::uint64_t> content_length) {
  if (!is_token(request.method)) return Error(Code::invalid, "the HTTP method is not a token");
  if (!is_target(request.target)) {
    return Error(Code::invalid,
                 "the request target starts with neither '/' nor '?' or holds a blank");
  }
  const bool bare = url.base.empty() && request.target.starts_with('?');
  std::string head =
      cat(request.method, ' ', bare ? "/" : "", url.base, request.target,
          " HTTP/1.1\r\nHost: ", url.host_header(), "\r\nUser-Agent: clinic-gateway\r\n");
  if (!authorization.empty()) head += cat("Authorization: ", authorization, "\r\n");
  for (const auto& [name, value] : request.headers) {
    if (!is_token(name) || !is_header_value(value)) {
      return Error(Code::invalid, cat("the header ", is_token(name) ? name : "name",
                                      " holds a character that HTTP does not allow"));
    }
    head += cat(name, ": ", value, "\r\n");
  }
  if (content_length) head += cat("Content-Length: ", *content_length, "\r\n");
  head += "\r\n";
  return head;
}

struct ResponseReader::Parser {
  Parser(bool head_request, std::size_t max) : to_head_request(head_request), body_max(max) {
    restart();
  }

  bool to_head_request;
  std::size_t body_max;
  std::optional<http::response_parser<http::string_body>> answer{};
  std::string unparsed{};
  bool begun = false;

  void restart() {
    answer.emplace();
    answer->eager(true);
    answer->skip(to_head_request);
    answer->header_limit(head_max);
    answer->body_limit(body_max);
  }

  bool interim() const {
    const unsigned status = answer->get().result_int();
    return answer->is_done() && status / 100 == 1 && status != 101;
  }

  Status failure(const boost::system::error_code& error) const {
    if (error == http::error::body_limit) {
      return Error(Code::refused, cat("the answer is larger than ", body_max, " bytes"));
    }
    return Error(Code::refused, cat("the answer is not HTTP (", error.message(), ")"));
  }
};

ResponseReader::ResponseReader(bool to_head_request, std::size_t body_max)
    : parser_(std::make_unique<Parser>(to_head_request, body_max)) {}

ResponseReader::~ResponseReader() = default;

Status ResponseReader::take(std::string_view bytes) {
  Parser& parser = *parser_;
  parser.begun = parser.begun || !bytes.empty();
  parser.unparsed += bytes;
  while (!parser.unparsed.empty() && !parser.answer->is_done()) {
    boost::system::error_code error;
    const std::size_t used = parser.answer->put(
        boost::asio::const_buffer(parser.unparsed.data(), parser.unparsed.size()), error);
    parser.unparsed.erase(0, used);
    if (error == http::error::need_more) {
      if (used == 0) break;
    } else if (error) {
      return parser.failure(error);
    }
    if (parser.interim()) parser.restart();
  }
  return {};
}

Status ResponseReader::take_end() {
  if (done()) return {};
  boost::system::error_code error;
  if (parser_->begun) parser_->answer->put_eof(error);
  if (!error && done()) return {};
  return Error(Code::lost_answer, parser_->begun
                                      ? "closed the connection in the middle of its answer"
                                      : "closed the connection without an answer");
}

bool ResponseReader::begun() const { return parser_->begun; }
bool ResponseReader::done() const { return parser_->answer->is_done(); }

bool ResponseReader::keep_alive() const {
  return done() && parser_->unparsed.empty() && parser_->answer->keep_alive();
}

HttpResponse ResponseReader::take_response() {
  auto message = parser_->answer->release();
  HttpResponse out;
  out.status = static_cast<int>(message.result_int());
  for (const auto& field : message) {
    out.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  out.body = std::move(message.body());
  return out;
}

}  // namespace gateway::core::net
