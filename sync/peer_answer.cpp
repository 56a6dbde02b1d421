#include "sync/peer_answer.h"

#include <algorithm>
#include <charconv>

#include "core/text.h"

namespace gateway::sync {

RowOutcome outcome_of_error(std::int64_t number, const core::Error& error) {
  RowOutcome outcome;
  outcome.number = number;
  outcome.reason = error.message();
  switch (error.code()) {
    case core::Code::lost_answer:
    case core::Code::refused:    // an answer we could not read
    case core::Code::cancelled:  // stopped while it was on its way
      outcome.result = Delivery::lost;
      break;
    default:
      outcome.result = Delivery::unreached;
  }
  return outcome;
}

std::string not_serving(const core::net::HttpResponse& answer, std::string_view wanted_type) {
  switch (answer.status) {
    case 401:
    case 403:
      return core::cat("the server answered ", answer.status,
                       ": it does not accept our credentials; check username, password or "
                       "certificate of this uplink");
    case 407:
      return "a proxy answered 407: it wants credentials";
    case 429:
      return "the server answered 429: too many requests, it asks us to wait";
    case 502:
    case 504:
      return core::cat("a proxy answered ", answer.status,
                       ": the server behind it cannot be reached");
    case 503:
      return "the server answered 503: it is not available just now";
    case 413:  // often a proxy's, with a page: it speaks of this request alone
      return {};
    default:
      break;
  }
  if (answer.body.empty()) return {};
  const std::string type = core::to_lower_ascii(answer.header("content-type"));
  if (type.find(wanted_type) != std::string::npos) return {};
  if (type.starts_with("text/html")) {
    return core::cat("the server answered ", answer.status,
                     " with an HTML page instead of data: the URL is wrong, or a proxy or portal "
                     "stands before it; check url of this uplink");
  }
  return {};
}

core::Error unhoped_answer(std::string_view doing, unsigned status) {
  const bool is_passing = status == 408 || status >= 500;
  return {is_passing ? core::Code::lost_answer : core::Code::invalid,
          core::cat(doing, ", the PACS answered ", status)};
}

std::optional<core::Milliseconds> retry_after(const core::net::HttpResponse& answer) {
  constexpr int kSecondsMax = 3'600;
  const std::string_view text = answer.header("retry-after");
  int seconds = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (code != std::errc() || end != text.data() + text.size() || seconds < 0) return std::nullopt;
  return core::Milliseconds(std::min(seconds, kSecondsMax) * 1'000);
}

}  // namespace gateway::sync
