#include "daemon/api/console/console_server.h"

#include <algorithm>

#include "core/net/https_server.h"
#include "core/text.h"
#include "daemon/api/console/assets.h"
#include "daemon/api/console/console_api.h"
#include "daemon/api/metrics_face.h"
#include "daemon/api/route_tree.h"
#include "daemon/handed_sockets.h"

namespace gateway::daemon::console {
namespace {

using core::cat;
using core::ConfigKey;
using core::KeyType;
using core::net::Awaitable;
using core::net::HttpPeer;
using core::net::HttpRequest;
using core::net::HttpResponse;

constexpr std::uint64_t kBodyMax = 64 * 1024;
constexpr char kPolicy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

void guard(HttpResponse& answer, const char* caching) {
  answer.headers.emplace_back("Cache-Control", caching);
  answer.headers.emplace_back("Content-Security-Policy", kPolicy);
  answer.headers.emplace_back("X-Content-Type-Options", "nosniff");
  answer.headers.emplace_back("Referrer-Policy", "no-referrer");
  answer.headers.emplace_back("Cross-Origin-Opener-Policy", "same-origin");
  answer.headers.emplace_back("Cross-Origin-Resource-Policy", "same-origin");
}

HttpResponse page(const HttpRequest& request) {
  if (request.method != "GET" && request.method != "HEAD")
    return {405, {{"Content-Type", "text/plain"}}, "the pages take GET\n"};
  const std::string_view path = path_of(request);
  if (path == "/" || path == "/console") return {308, {{"Location", "/console/"}}, ""};
  constexpr std::string_view kPages = "/console/";
  if (path.starts_with(kPages)) {
    const std::string_view name = path.substr(kPages.size());
    if (const Asset* asset = find_asset(name.empty() ? "index.html" : name))
      return {200, {{"Content-Type", std::string(asset->type)}}, std::string(asset->bytes)};
  }
  return {404, {{"Content-Type", "text/plain"}}, "there is no such page\n"};
}

class Server final : public ConsoleServer {
 public:
  Server(boost::asio::any_io_executor loop, ControlAsk ask, const core::Config& config,
         const std::string& site, const sync::HoldingsDoor& door, const core::Clock& clock)
      : api_(ConsoleApi::create(loop, ask, site, door, clock)),
        metrics_(loop, ask, config.text("metrics.token_sha256")) {
    routes_.mount("/metrics", [this](HttpRequest request, const HttpPeer& peer) {
      return metrics_.answer(std::move(request), peer);
    });
    routes_.mount("/console/api", [this](HttpRequest request, const HttpPeer& peer) {
      return answer_api(std::move(request), peer);
    });
    routes_.mount(
        "", [](HttpRequest request, const HttpPeer&) { return answer_page(std::move(request)); });
  }

  ~Server() override {
    api_->close();
    metrics_.close();
    https_.reset();
  }

  core::Status listen(const core::Config& config) {
    core::net::HttpsServerOptions https;
    https.address = config.text("console.bind");
    https.port = static_cast<std::uint16_t>(config.integer("console.port"));
    https.listening = handed_socket(https.port);
    https.certificate_file = config.text("console.certificate_file");
    https.key_file = config.text("console.key_file");
    https.body_max = kBodyMax;
    GW_TRY(https_,
           core::net::HttpsServer::listen(https, [this](HttpRequest request, const HttpPeer& peer) {
             return routes_.answer(std::move(request), peer);
           }));
    return {};
  }

  std::uint16_t port() const override { return https_->port(); }
  void end_sessions(std::string_view account) override { api_->sessions().end_of(account); }

 private:
  Awaitable<HttpResponse> answer_api(HttpRequest request, const HttpPeer& peer) {
    HttpResponse answer = co_await api_->answer(std::move(request), peer);
    guard(answer, "no-store");
    co_return answer;
  }
  static Awaitable<HttpResponse> answer_page(HttpRequest request) {
    HttpResponse answer = page(request);
    guard(answer, "no-cache");
    co_return answer;
  }

  const std::unique_ptr<ConsoleApi> api_;
  MetricsFace metrics_;
  RouteTree routes_;
  std::unique_ptr<core::net::HttpsServer> https_;
};

}  // namespace

std::vector<ConfigKey> console_config_keys() {
  return {
      {.path = "console.port",
       .type = KeyType::integer,
       .meaning = "port of the console over HTTPS; without it there is none",
       .minimum = 1,
       .maximum = 65535},
      {.path = "console.bind",
       .meaning = "address the console listens on",
       .default_text = "\"0.0.0.0\""},
      {.path = "console.certificate_file", .meaning = "its certificate, PEM chain"},
      {.path = "console.key_file", .meaning = "private key of console.certificate_file, PEM"},
  };
}

std::vector<ConsoleMistake> check_console(const core::Config& config) {
  std::vector<ConsoleMistake> mistakes;
  if (!config.has("console.port")) return mistakes;
  for (const char* key : {"console.certificate_file", "console.key_file"}) {
    if (!config.has(key))
      mistakes.push_back({"console.port", cat("the console needs ", key, " too")});
  }
  if (config.has("api.port") && config.integer("api.port") == config.integer("console.port")) {
    mistakes.push_back({"console.port", "api.port listens there already; take another port"});
  }
  return mistakes;
}

core::Result<std::unique_ptr<ConsoleServer>> ConsoleServer::start(
    const core::Config& config, const std::string& site, boost::asio::any_io_executor loop,
    const sync::HoldingsDoor& door, const core::Clock& clock, ControlAsk ask) {
  auto server =
      std::make_unique<Server>(std::move(loop), std::move(ask), config, site, door, clock);
  GW_CHECK(server->listen(config));
  return std::unique_ptr<ConsoleServer>(std::move(server));
}

}  // namespace gateway::daemon::console
