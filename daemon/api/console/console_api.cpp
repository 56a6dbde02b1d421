#include "daemon/api/console/console_api.h"

#include <atomic>
#include <cstring>

#include "core/text.h"
#include "crypto/accounts.h"
#include "daemon/api/console/events.h"
#include "daemon/api/console/overview.h"
#include "daemon/api/console/places.h"
#include "daemon/api/console/sign_in_limits.h"
#include "daemon/api/console/thumbnails.h"
#include "daemon/api/loop_bridge.h"
#include "daemon/api/read_trail.h"
#include "daemon/api/route_tree.h"
#include "daemon/blocking.h"

namespace gateway::daemon::console {
namespace {

using core::cat;
using core::Json;
using core::net::Awaitable;
using core::net::HttpPeer;
using core::net::HttpRequest;
using core::net::HttpResponse;

constexpr std::string_view kRoot = "/console/api/";
// No other host, path or scheme can set or read it (RFC 6265bis 4.1.3.2).
constexpr char kCookie[] = "__Host-clinic-gateway";
constexpr std::size_t kSignInsMax = 8;
constexpr std::size_t kEventsMax = 16;

std::string_view header_of(const HttpRequest& request, std::string_view name) {
  const std::string wanted = core::to_lower_ascii(name);
  for (const auto& [header, value] : request.headers)
    if (core::to_lower_ascii(header) == wanted) return value;
  return {};
}

std::string token_of(const HttpRequest& request) {
  std::string_view cookies = header_of(request, "Cookie");
  while (!cookies.empty()) {
    const std::string_view one = core::trim(cookies.substr(0, cookies.find(';')));
    cookies.remove_prefix(std::min(cookies.size(), cookies.find(';') == cookies.npos
                                                       ? cookies.size()
                                                       : cookies.find(';') + 1));
    const std::string start = cat(kCookie, '=');
    if (one.starts_with(start)) return std::string(one.substr(start.size()));
  }
  return {};
}

HttpResponse refusal(int status, std::string_view code, std::string_view message) {
  const Json body = Json::object({{"error", Json::object({{"code", code}, {"message", message}})}});
  return {status, {{"Content-Type", "application/json"}}, body.dump()};
}

HttpResponse done(const Json& body) {
  return {200, {{"Content-Type", "application/json"}}, body.dump()};
}

/// What a form of another site could not send.
std::optional<HttpResponse> refuse_foreign(const HttpRequest& request) {
  if (request.method != "POST") return std::nullopt;
  const std::string_view site = header_of(request, "Sec-Fetch-Site");
  if (!site.empty() && site != "same-origin" && site != "none")
    return refusal(403, "foreign", "another site may not do this");
  if (header_of(request, "Content-Type").starts_with("application/json")) return std::nullopt;
  return refusal(415, "invalid", "send application/json");
}

class Api final : public ConsoleApi {
 public:
  Api(boost::asio::any_io_executor loop, ControlAsk ask, std::string site,
      const sync::HoldingsDoor& door, const core::Clock& clock)
      : ask_(std::move(ask)),
        site_(std::move(site)),
        door_(door),
        clock_(clock),
        bridge_(std::move(loop)),
        sessions_(clock),
        limits_(clock),
        thumbnails_(clock) {}

  Sessions& sessions() override { return sessions_; }
  void close() override {
    bridge_.close();
    thumbnails_.close();
  }

  Awaitable<HttpResponse> answer(HttpRequest request, const HttpPeer& peer) override {
    const std::string path(path_of(request).substr(std::min(request.target.size(), kRoot.size())));
    if (auto refused = refuse_foreign(request)) co_return std::move(*refused);
    if (path == "sign-in" && request.method == "POST")
      co_return co_await sign_in(std::move(request), peer);
    const std::string token = token_of(request);
    const bool is_page = header_of(request, "X-Reload") == "page" || path == "events" ||
                         study_of_thumbnail(path).has_value();
    const Asker asker = is_page ? Asker::page : Asker::person;
    const auto session = sessions_.find(token, asker);
    if (path == "session" && request.method == "GET") co_return done(describe(session));
    if (!session) co_return refusal(401, "signed-out", "sign in first");
    if (request.method == "POST" && header_of(request, "X-CSRF-Token") != session->csrf)
      co_return refusal(403, "foreign", "the page is of another session; load it again");
    if (path == "sign-out" && request.method == "POST") {
      sessions_.end(token);
      note({*session, peer.address}, "sign-out", "console", "", "success");
      co_return done(Json::object());
    }
    if (path == "events" && request.method == "GET") co_return events(token);
    // Named: g++ 12 destroys an aggregate made within a co_await expression twice.
    Who who{*session, peer.address};
    auto study = request.method == "GET" ? study_of_thumbnail(path) : std::nullopt;
    if (study) co_return co_await thumbnail(std::move(*study), std::move(who), token);
    co_return co_await place(std::move(request), path, std::move(who), token, asker);
  }

 private:
  struct Who {
    Session session;
    std::string address;
    std::string actor() const { return cat("user:", session.account); }
  };

  Json describe(const std::optional<Session>& session) const {
    Json document = Json::object({{"signed_in", session.has_value()},
                                  {"site", site_},
                                  {"state", door_.get() ? "ready" : "locked"}});
    if (!session) return document;
    document.set("name", session->account);
    document.set("role", crypto::to_string(session->role));
    document.set("csrf", session->csrf);
    return document;
  }

  Awaitable<HttpResponse> sign_in(HttpRequest request, const HttpPeer& peer) {
    auto asked = Json::parse(request.body, 4);
    ::explicit_bzero(request.body.data(), request.body.size());
    if (!asked.ok()) co_return refusal(400, "invalid", asked.error().message());
    const std::string name((*asked)["name"].text());
    const auto holdings = door_.get();
    if (!holdings) co_return refusal(503, "locked", "the gateway is locked");
    // What is no name is perhaps a password: it is written down nowhere.
    const bool is_name = crypto::check_account_name(name).ok();
    const Who who{{is_name ? name : "?", crypto::Role::viewer, ""}, peer.address};
    if (const auto wait = limits_.wait(who.session.account, peer.address); wait.count() > 0) {
      note(who, "sign-in", "console", "", "failed: too many failures");
      HttpResponse later = refusal(429, "wait", "too many failures; wait and try again");
      later.headers.emplace_back("Retry-After", cat((wait.count() + 999) / 1000));
      co_return later;
    }
    if (waiting_.fetch_add(1) >= kSignInsMax) {
      --waiting_;
      co_return refusal(503, "busy", "too many sign-ins at once; try again");
    }
    auto check = [holdings, name, password = crypto::Secret::copy_of((*asked)["password"].text())] {
      return crypto::sign_in(holdings->database(), name, {password.clone()});
    };
    auto account = co_await lane_.run(std::move(check));
    --waiting_;
    if (!account.ok()) co_return refusal(500, "internal", account.error().message());
    if (!*account) {
      limits_.failed(who.session.account, peer.address);
      note(who, "sign-in", "console", "", "refused");
      co_return refusal(401, "refused", "name or password is wrong");
    }
    limits_.succeeded(name, peer.address);
    const Sessions::Opened opened = sessions_.open(**account);
    note(who, "sign-in", "console", "", "success");
    HttpResponse answer = done(describe(opened.session));
    answer.headers.emplace_back("Set-Cookie", cat(kCookie, '=', opened.token,
                                                  "; Path=/; Secure; HttpOnly; SameSite=Strict"));
    co_return answer;
  }

  HttpResponse events(const std::string& token) {
    const auto places = event_places_;
    if (places.use_count() > static_cast<long>(kEventsMax + 2))
      return refusal(503, "busy", "too many pages are open");
    auto look = [this]() -> Awaitable<core::Result<Json>> { return overview(); };
    auto lives = [this, token] { return sessions_.find(token, Asker::page).has_value(); };
    HttpResponse answer{200, {{"Content-Type", "text/event-stream"}}, ""};
    answer.stream = std::make_shared<OverviewEvents>(std::move(look), std::move(lives), places);
    return answer;
  }

  Awaitable<core::Result<Json>> overview() {
    Caller caller;
    const core::Result<Json> status =
        co_await ask_control("GET", "/v1/status", "", std::move(caller));
    if (!status.ok()) co_return status.error();
    co_return overview_document(*status);
  }

  Awaitable<HttpResponse> place(HttpRequest request, std::string path, Who who, std::string token,
                                Asker asker) {
    const Place* const asked = find_place(request.method, path);
    if (asked == nullptr) co_return refusal(404, "not-found", "there is nothing here");
    if (who.session.role < asked->role) {
      note(who, "refuse", cat("console/", path), "", "failed: forbidden");
      co_return refusal(403, "forbidden", "your account may not do this");
    }
    if (path == "overview") {
      const core::Result<Json> seen = co_await overview();
      co_return respond(seen);
    }
    const std::string route =
        route_of(*asked, std::string_view(request.target).substr(kRoot.size()));
    Caller caller{who.actor(), who.address};
    const core::Result<Json> answer =
        co_await ask_control(request.method, route, std::move(request.body), std::move(caller));
    if (answer.ok() && asked->shows_patients && !asked->writes) {
      const std::string seen = cat("console/", path);
      const Look look{seen, asker, seen, patient_of(*answer)};
      if (!note_look(who, token, look))
        co_return refusal(503, "busy", "the gateway is busy; try again");
    }
    co_return respond(answer);
  }

  /// For every account. A look at each study as often as at a page that shows it by itself.
  Awaitable<HttpResponse> thumbnail(std::string study_uid, Who who, std::string token) {
    auto holdings = door_.get();
    if (!holdings) co_return refusal(503, "locked", "the gateway is locked");
    const std::string seen = cat("studies/", study_uid, "/thumbnail");
    auto made = co_await thumbnails_.make(std::move(holdings), std::move(study_uid));
    if (!made.ok()) co_return respond(core::Result<Json>(made.error()));
    const Look look{seen, Asker::page, made->study.resource, made->study.patient};
    if (made->response.status == 200 && !note_look(who, token, look))
      co_return refusal(503, "busy", "the gateway is busy; try again");
    co_return std::move(made->response);
  }

  /// Whose a single record is; empty for lists.
  static std::string patient_of(const Json& answer) {
    const std::string_view resource = answer["resource"].text();
    if (resource.starts_with("Patient/")) return std::string(resource);
    const std::string_view subject = answer["shown"]["subject"]["reference"].text();
    return subject.starts_with("Patient/") ? std::string(subject) : std::string();
  }

  Awaitable<core::Result<Json>> ask_control(std::string method, std::string target,
                                            std::string body, Caller caller) {
    LoopBridge::Work work = [this, method = std::move(method), target = std::move(target),
                             body = std::move(body), caller = std::move(caller)] {
      HttpRequest request;
      request.method = method;
      request.target = target;
      request.body = body;
      return ask_(std::move(request), caller);
    };
    co_return co_await bridge_.run(std::move(work));
  }

  /// A look at what shows patients.
  struct Look {
    std::string place;
    Asker asker;
    std::string resource;
    std::string patient;
  };
  /// False: the audit trail cannot take it now, and nothing may be shown.
  bool note_look(const Who& who, std::string_view token, const Look& look) {
    if (!sessions_.is_news(token, look.place, look.asker)) return true;
    if (!note(who, "read", look.resource, look.patient, "success")) return false;
    sessions_.noted(token, look.place);
    return true;
  }

  /// False: the audit trail cannot take it now.
  bool note(const Who& who, const char* action, const std::string& resource,
            const std::string& patient, const char* outcome) {
    const auto holdings = door_.get();
    if (!holdings) return false;
    crypto::AuditEntry entry{.at = clock_.wall(),
                             .actor = who.actor(),
                             .action = action,
                             .resource = resource,
                             .patient = patient,
                             .source = who.address,
                             .outcome = outcome};
    return trail_->note(holdings->database(), holdings->audit(), {std::move(entry)});
  }

  const ControlAsk ask_;
  const std::string site_;
  const sync::HoldingsDoor& door_;
  const core::Clock& clock_;
  LoopBridge bridge_;
  Sessions sessions_;
  SignInLimits limits_;
  Thumbnails thumbnails_;
  BlockingLane lane_;  // Argon2id, one at a time
  std::atomic<std::size_t> waiting_ = 0;
  const std::shared_ptr<int> event_places_ = std::make_shared<int>(0);
  const std::shared_ptr<ReadTrail> trail_ = std::make_shared<ReadTrail>();
};

}  // namespace

std::unique_ptr<ConsoleApi> ConsoleApi::create(boost::asio::any_io_executor loop, ControlAsk ask,
                                               std::string site, const sync::HoldingsDoor& door,
                                               const core::Clock& clock) {
  return std::make_unique<Api>(std::move(loop), std::move(ask), std::move(site), door, clock);
}

}  // namespace gateway::daemon::console
