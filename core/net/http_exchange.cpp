#include "core/net/http_exchange.h"

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <optional>
#include <vector>

#include "core/net/http_wire.h"
#include "core/text.h"

namespace gateway::core::net {
namespace {

constexpr std::size_t body_chunk = 128 * 1024;
constexpr std::size_t answer_chunk = 64 * 1024;
// Up to here head and body leave in one go, and listening meanwhile would gain nothing.
constexpr std::size_t small_body_max = 64 * 1024;

/// Two coroutines work on this at once: one writes the request, one reads the answer.
struct Exchange {
  Connection& connection;
  const HttpRequest& request;
  ResponseReader reader;
  std::uint64_t sent = 0;
  bool request_done = false;
  bool source_touched = false;
  Connection::Moved end{};         // the first thing that went wrong on the connection
  std::optional<Error> failure{};  // of the source, or the answer's form

  void ended(Connection::Moved moved) {
    // A server that refuses our certificate closes at once: writing meets the closed door first,
    // the reason is only read afterwards.
    const bool better = moved.end == Connection::End::untrusted;
    if (end.end == Connection::End::none || better) end = std::move(moved);
  }
};

Awaitable<bool> write_all(Exchange& exchange, std::string_view bytes) {
  while (!bytes.empty()) {
    Connection::Moved moved = co_await exchange.connection.write_some(bytes);
    exchange.sent += moved.bytes;
    bytes.remove_prefix(moved.bytes);
    if (moved.end != Connection::End::none) {
      exchange.ended(std::move(moved));
      co_return false;
    }
  }
  co_return true;
}

Awaitable<bool> write_source(Exchange& exchange) {
  BodySource& source = *exchange.request.source;
  exchange.source_touched = true;
  std::vector<char> chunk(body_chunk);
  for (std::uint64_t left = source.size(); left > 0;) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left, chunk.size()));
    const auto count = source.read(std::as_writable_bytes(std::span(chunk.data(), wanted)));
    if (!count.ok() || *count == 0) {
      exchange.failure =
          count.ok() ? Error(Code::internal, "the request body ended early") : Error(count.error());
      co_return false;
    }
    left -= *count;
    const bool written = co_await write_all(exchange, std::string_view(chunk.data(), *count));
    if (!written) co_return false;
  }
  co_return true;
}

Awaitable<void> write_request(Exchange& exchange, const std::string& head) {
  // A small body travels with its head: one packet, one TLS record.
  const std::string& body = exchange.request.body;
  const bool with_source = exchange.request.source != nullptr;
  const bool joined = !with_source && body.size() <= small_body_max;
  bool written = false;
  if (joined) {
    const std::string whole = head + body;
    written = co_await write_all(exchange, whole);
  } else {
    written = co_await write_all(exchange, head);
    if (written && with_source) {
      written = co_await write_source(exchange);
    } else if (written) {
      written = co_await write_all(exchange, body);
    }
  }
  exchange.request_done = written;
  // Half a request stays half: only closing tells the peer. What broke on the wire is left to the
  // reader, for whom an early answer may be waiting.
  if (exchange.failure) exchange.connection.close();
}

Awaitable<void> read_answer(Exchange& exchange) {
  std::vector<char> chunk(answer_chunk);
  while (!exchange.reader.done() && !exchange.failure) {
    Connection::Moved moved = co_await exchange.connection.read_some(chunk);
    Status taken = exchange.reader.take(std::string_view(chunk.data(), moved.bytes));
    if (!taken.ok()) exchange.failure = std::move(taken).error();
    if (moved.end == Connection::End::none) continue;
    const bool whole = moved.cleanly && exchange.reader.take_end().ok();
    if (!whole) exchange.ended(std::move(moved));
    break;
  }
  if (!exchange.request_done) exchange.connection.close();
}

Error explain(const Exchange& exchange) {
  using End = Connection::End;
  const bool sent = exchange.sent > 0;
  const std::string& reason = exchange.end.reason;
  const std::string_view doubt = sent ? "; whether it was processed is not known" : "";
  switch (exchange.end.end) {
    case End::cancelled:
      return {Code::cancelled, "the request was stopped"};
    case End::untrusted:
      return {Code::untrusted, reason};
    case End::timed_out:
      return {sent ? Code::lost_answer : Code::unavailable,
              cat(reason, "; the link or the server hangs", doubt)};
    default:
      break;
  }
  if (!sent) return {Code::unavailable, cat("the connection broke before the request: ", reason)};
  const std::string_view when =
      exchange.reader.begun() ? "in the middle of its answer" : "before it answered";
  return {Code::lost_answer,
          cat("the server closed the connection ", when, " (", reason, ")", doubt)};
}

ExchangeOutcome outcome_of(Exchange& exchange) {
  using End = Connection::End;
  const bool answered = exchange.reader.done() && !exchange.failure;
  const bool reusable = answered && exchange.request_done && exchange.end.end == End::none &&
                        exchange.reader.keep_alive();
  const bool closed_unheard =
      exchange.end.end == End::peer_closed && !exchange.reader.begun() && !exchange.failure;
  auto answer = [&]() -> Result<HttpResponse> {
    if (exchange.failure) return std::move(*exchange.failure);
    if (answered) return exchange.reader.take_response();
    return explain(exchange);
  };
  return {answer(), reusable, closed_unheard, exchange.sent == 0, exchange.source_touched};
}

}  // namespace

Awaitable<ExchangeOutcome> exchange(Connection& connection, const HttpRequest& request,
                                    const std::string& head, const ExchangeLimits& limits) {
  Exchange state{connection, request,
                 ResponseReader(request.method == "HEAD", limits.response_max, request.sink)};
  connection.watch(limits.idle_timeout);
  if (!request.source && request.body.size() <= small_body_max) {
    co_await write_request(state, head);
    co_await read_answer(state);
  } else {
    using namespace boost::asio::experimental::awaitable_operators;
    co_await (write_request(state, head) && read_answer(state));
  }
  ExchangeOutcome outcome = outcome_of(state);
  co_return outcome;
}

}  // namespace gateway::core::net
