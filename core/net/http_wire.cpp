#include "core/net/http_wire.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <functional>
#include <optional>
#include <span>
#include <utility>

#include "core/base64.h"
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

}  // namespace

std::string_view HttpResponse::header(std::string_view name) const {
  const std::string wanted = to_lower_ascii(name);
  for (const auto& [header_name, value] : headers) {
    if (to_lower_ascii(header_name) == wanted) return value;
  }
  return {};
}

std::string basic_authorization(std::string_view username, std::string_view password) {
  return cat("Basic ", to_base64(cat(username, ':', password)));
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

namespace {

/// Beast's idea of a body: kept as text up to a limit, or handed on to a sink.
struct AnswerBody {
  struct value_type {
    std::string text{};
    std::size_t text_max = 0;
    BodySink* sink = nullptr;
    std::optional<Error> failure{};  // of the sink
  };

  class reader {
   public:
    template <bool is_request, class Fields>
    reader(http::header<is_request, Fields>& head, value_type& body) : body_(body) {
      status_ = [&head] { return head.result_int(); };
    }
    void init(const boost::optional<std::uint64_t>& length, boost::system::error_code& error) {
      error = {};
      to_sink_ = body_.sink != nullptr && status_() / 100 == 2;
      if (!to_sink_ && length && *length > body_.text_max) error = http::error::body_limit;
    }
    template <class Buffers>
    std::size_t put(const Buffers& buffers, boost::system::error_code& error) {
      error = {};
      std::size_t taken = 0;
      for (auto at = boost::asio::buffer_sequence_begin(buffers);
           at != boost::asio::buffer_sequence_end(buffers) && !error; ++at) {
        const boost::asio::const_buffer piece(*at);
        take({static_cast<const char*>(piece.data()), piece.size()}, error);
        taken += piece.size();
      }
      return taken;
    }
    void finish(boost::system::error_code& error) { error = {}; }

   private:
    void take(std::string_view bytes, boost::system::error_code& error) {
      if (to_sink_) {
        Status written = body_.sink->write(std::as_bytes(std::span(bytes)));
        if (written.ok()) return;
        body_.failure = std::move(written).error();
        error = http::error::unexpected_body;
      } else if (bytes.size() > body_.text_max - body_.text.size()) {
        error = http::error::body_limit;
      } else {
        body_.text += bytes;
      }
    }

    value_type& body_;
    std::function<unsigned()> status_;
    bool to_sink_ = false;
  };
};

}  // namespace

struct ResponseReader::Parser {
  Parser(bool head_request, std::size_t max, BodySink* body_sink)
      : to_head_request(head_request), body_max(max), sink(body_sink) {
    restart();
  }

  bool to_head_request;
  std::size_t body_max;
  BodySink* sink;
  std::optional<http::response_parser<AnswerBody>> answer{};
  std::string unparsed{};
  bool begun = false;

  void restart() {
    answer.emplace();
    answer->eager(true);
    answer->skip(to_head_request);
    answer->header_limit(head_max);
    // With a sink the body itself counts, as its limit depends on the status.
    if (sink == nullptr) {
      answer->body_limit(body_max);
    } else {
      answer->body_limit(boost::none);
    }
    answer->get().body().text_max = body_max;
    answer->get().body().sink = sink;
  }

  bool interim() const {
    const unsigned status = answer->get().result_int();
    return answer->is_done() && status / 100 == 1 && status != 101;
  }

  Status failure(const boost::system::error_code& error) const {
    if (answer->get().body().failure) return *answer->get().body().failure;
    if (error == http::error::body_limit) {
      return Error(Code::refused, cat("the answer is larger than ", body_max, " bytes"));
    }
    return Error(Code::refused, cat("the answer is not HTTP (", error.message(), ")"));
  }
};

ResponseReader::ResponseReader(bool to_head_request, std::size_t body_max, BodySink* sink)
    : parser_(std::make_unique<Parser>(to_head_request, body_max, sink)) {}

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
  out.body = std::move(message.body().text);
  return out;
}

}  // namespace gateway::core::net
