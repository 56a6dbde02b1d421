#include "daemon/ops/control.h"

#include <charconv>
#include <optional>
#include <utility>

#include "core/text.h"

namespace gateway::daemon {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::Json;
using core::net::Awaitable;
using core::net::HttpRequest;
using core::net::HttpResponse;

constexpr std::int64_t kLimitDefault = 50;
constexpr std::int64_t kLimitMax = 1000;

int http_status(Code code) {
  switch (code) {
    case Code::invalid:
      return 400;
    case Code::refused:
      return 405;
    case Code::not_found:
      return 404;
    case Code::exists:
      return 409;
    case Code::locked:
    case Code::busy:
    case Code::no_space:
    case Code::cancelled:
    case Code::unavailable:
      return 503;
    default:
      return 500;
  }
}

HttpResponse respond(int status, const Json& body) {
  return HttpResponse{status, {{"Content-Type", "application/json"}}, body.dump()};
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, code] = std::from_chars(text.data(), end, value);
  if (code != std::errc() || stopped != end) return std::nullopt;
  return value;
}

/// "limit=N" is the only parameter there is.
core::Result<std::int64_t> limit_of(std::string_view query) {
  if (query.empty()) return kLimitDefault;
  const auto wrong = [] {
    return Error(Code::invalid, cat("the query must be limit=N with N from 1 to ", kLimitMax));
  };
  if (!query.starts_with("limit=")) return wrong();
  const auto limit = whole_number(query.substr(6));
  if (!limit || *limit < 1 || *limit > kLimitMax) return wrong();
  return *limit;
}

core::Result<std::int64_t> number_of(const std::string& body) {
  GW_TRY(const Json json, Json::parse(body, 4));
  const auto number = json["number"].integer();
  if (!number || *number < 0) {
    return Error(Code::invalid, "the body must be {\"number\":N}; 0 means every parked item");
  }
  return *number;
}

struct Pin {
  std::string study_uid;
  bool pinned = false;
};

core::Result<Pin> pin_of(const std::string& body) {
  GW_TRY(const Json json, Json::parse(body, 4));
  Pin pin{std::string(json["study_uid"].text()), json["pinned"].boolean()};
  if (pin.study_uid.empty() || !json["pinned"].is_bool()) {
    return Error(Code::invalid, R"(the body must be {"study_uid":"UID","pinned":true or false})");
  }
  return pin;
}

class Routes {
 public:
  explicit Routes(ControlActions actions) : actions_(std::move(actions)) {}

  Awaitable<core::Result<Json>> answer(HttpRequest request, Caller caller) const {
    const std::string_view target = request.target;
    const auto mark = target.find('?');
    const std::string_view path = target.substr(0, mark);
    const std::string_view query =
        mark == target.npos ? std::string_view() : target.substr(mark + 1);
    if (path == "/v1/keys" || path.starts_with("/v1/keys/")) {
      co_return co_await actions_.keys(request.method, std::string(path), std::move(request.body));
    }
    for (const auto& [place, work] :
         {std::pair{"/v1/reviews", &actions_.reviews}, std::pair{"/v1/letters", &actions_.letters},
          std::pair{"/v1/criticals", &actions_.criticals},
          std::pair{"/v1/results", &actions_.results},
          std::pair{"/v1/accounts", &actions_.accounts}, std::pair{"/v1/peers", &actions_.peers},
          std::pair{"/v1/uplinks", &actions_.uplinks}}) {
      if (path == place || path.starts_with(cat(place, '/'))) {
        co_return co_await (*work)(request.method, std::string(path), std::move(request.body),
                                   std::move(caller));
      }
    }
    const bool get = request.method == "GET";
    const bool post = request.method == "POST";
    const bool reads = path == "/v1/status" || path == "/v1/studies" || path == "/v1/queue" ||
                       path == "/v1/doctor" || path == "/v1/storage" || path == "/v1/worklist" ||
                       path == "/v1/certificates" || path == "/v1/last-seen";
    if (path.starts_with("/v1/audit/") && get) co_return co_await actions_.audit(request.target);
    if (path == "/v1/support-bundle" && (get || post))
      co_return co_await actions_.support_bundle(request.method);
    const bool acts = path == "/v1/retry" || path == "/v1/pin" || path == "/v1/rebuild-index" ||
                      path == "/v1/log-level" || path == "/v1/reload";
    if (!reads && !acts) co_return Error(Code::not_found, "there is no such route");
    if ((reads && !get) || (acts && !post)) {
      co_return Error(Code::refused, cat("this route takes ", reads ? "GET" : "POST"));
    }
    if (path == "/v1/status") co_return co_await actions_.status();
    if (path == "/v1/doctor") co_return co_await actions_.doctor();
    if (path == "/v1/last-seen") co_return co_await actions_.last_seen();
    if (path == "/v1/certificates") co_return co_await actions_.certificates();
    if (path == "/v1/storage") co_return co_await actions_.storage();
    if (path == "/v1/rebuild-index") co_return co_await actions_.rebuild_index();
    if (path == "/v1/log-level") co_return actions_.log_level(request.body);
    if (path == "/v1/reload") co_return co_await actions_.reload(std::move(caller));
    if (path == "/v1/pin") {
      GW_CO_TRY(Pin pin, pin_of(request.body));
      co_return co_await actions_.pin(std::move(pin.study_uid), pin.pinned);
    }
    if (path == "/v1/retry") {
      GW_CO_TRY(const std::int64_t number, number_of(request.body));
      co_return co_await actions_.retry(number, std::move(caller));
    }
    GW_CO_TRY(const std::int64_t limit, limit_of(query));
    if (path == "/v1/worklist") co_return co_await actions_.worklist(limit);
    if (path == "/v1/studies") co_return co_await actions_.studies(limit);
    co_return co_await actions_.queue(limit);
  }

 private:
  ControlActions actions_;
};

}  // namespace

HttpResponse respond(const core::Result<Json>& answer) {
  if (answer.ok()) return respond(200, *answer);
  const Error& error = answer.error();
  return respond(http_status(error.code()),
                 Json::object({{"error", Json::object({{"code", core::to_string(error.code())},
                                                       {"message", error.message()}})}}));
}

ControlAsk control_asks(ControlActions actions) {
  auto routes = std::make_shared<const Routes>(std::move(actions));
  return [routes](HttpRequest request, Caller caller) -> Awaitable<core::Result<Json>> {
    // The coroutine outlives the call: what it needs is in its own frame.
    return [](std::shared_ptr<const Routes> held, HttpRequest asked,
              Caller who) -> Awaitable<core::Result<Json>> {
      co_return co_await held->answer(std::move(asked), std::move(who));
    }(routes, std::move(request), std::move(caller));
  };
}

core::net::HttpHandler control_routes(ControlAsk ask) {
  return [ask = std::move(ask)](HttpRequest request) -> Awaitable<HttpResponse> {
    return [](ControlAsk held, HttpRequest asked) -> Awaitable<HttpResponse> {
      // Named: g++ 12 destroys an aggregate made within a co_await expression twice.
      Caller caller;
      const core::Result<Json> answer = co_await held(std::move(asked), std::move(caller));
      co_return respond(answer);
    }(ask, std::move(request));
  };
}

}  // namespace gateway::daemon
