// HTTP/1.1 on the wire without a socket (RFC 9112): a request head as text, and an answer put
// together from bytes as they arrive.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/net/http.h"
#include "core/net/url.h"

namespace gateway::core::net {

/// The head up to and with the empty line. `authorization` is a header value, empty for none.
/// Code::invalid when method, target or a header would break out of its line; the text never holds
/// the target.
Result<std::string> request_head(const HttpRequest& request, const Url& url,
                                 std::string_view authorization,
                                 std::optional<std::uint64_t> content_length);

/// "Basic ..." (RFC 7617).
std::string basic_authorization(std::string_view username, std::string_view password);

/// One answer. Interim (1xx) answers are read over.
class ResponseReader {
 public:
  /// `sink`, which may be null, takes the body of a 2xx answer; body_max then does not count.
  ResponseReader(bool to_head_request, std::size_t body_max, BodySink* sink = nullptr);
  ~ResponseReader();

  /// Bytes as they come. Code::refused: not HTTP, or the body is larger than body_max. An error of
  /// the sink passes through.
  Status take(std::string_view bytes);
  /// The peer closed its side. Code::lost_answer when the answer is not whole.
  Status take_end();

  bool begun() const;       // any byte came
  bool done() const;        // the answer is whole
  bool keep_alive() const;  // once done: the connection may be used again
  /// Once done, once.
  HttpResponse take_response();

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace gateway::core::net
