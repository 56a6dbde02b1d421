#include "daemon/api/metrics_face.h"

#include "core/text.h"
#include "crypto/digest.h"
#include "crypto/octets.h"
#include "daemon/api/fhir/http_form.h"
#include "daemon/ops/metrics_text.h"

namespace gateway::daemon {

using core::Json;
using core::net::Awaitable;
using core::net::HttpPeer;
using core::net::HttpRequest;
using core::net::HttpResponse;

namespace {

constexpr char kOpenMetrics[] = "application/openmetrics-text; version=1.0.0; charset=utf-8";
constexpr char kText[] = "text/plain; version=0.0.4; charset=utf-8";

HttpResponse refusal(int status, const char* text) {
  return {status, {{"Content-Type", "text/plain"}}, text};
}

}  // namespace

std::vector<core::ConfigKey> metrics_config_keys() {
  return {{.path = "metrics.token_sha256",
           .meaning =
               "SHA-256 in hex of the bearer token that reads /metrics of the console's port "
               "from another machine; without it only this machine may"}};
}

bool may_read_metrics(std::string_view address, std::string_view authorization,
                      const std::string& token_sha256) {
  if (address == "127.0.0.1" || address == "::1") return true;
  constexpr std::string_view kBearer = "Bearer ";
  if (token_sha256.empty() || !authorization.starts_with(kBearer)) return false;
  // The comparison's time tells of the hash only, which leads to no token.
  const auto digest = crypto::sha256(crypto::as_octets(authorization.substr(kBearer.size())));
  return core::to_hex(crypto::as_text(digest)) == core::to_lower_ascii(token_sha256);
}

MetricsFace::MetricsFace(boost::asio::any_io_executor loop, ControlAsk ask,
                         std::string token_sha256)
    : ask_(std::move(ask)), token_sha256_(std::move(token_sha256)), bridge_(std::move(loop)) {}

Awaitable<HttpResponse> MetricsFace::answer(HttpRequest request, const HttpPeer& peer) {
  const std::string_view shown = fhir::header_of(request.headers, "Authorization");
  if (!may_read_metrics(peer.address, shown, token_sha256_))
    co_return refusal(401, "show the bearer token of metrics.token_sha256\n");
  if (request.method != "GET") co_return refusal(405, "metrics take GET\n");
  const core::Result<Json> status = co_await ask_control("/v1/status");
  const core::Result<Json> certificates = co_await ask_control("/v1/certificates");
  if (!status.ok() || !certificates.ok())
    co_return refusal(503, "the gateway is busy or stopping; try again\n");
  const std::string_view accepts = fhir::header_of(request.headers, "Accept");
  const bool open = accepts.find("application/openmetrics-text") != accepts.npos;
  HttpResponse answer{200, {{"Content-Type", open ? kOpenMetrics : kText}}, ""};
  answer.body = metrics_text(*status, (*certificates)["certificates"], read_process_facts(),
                             open ? MetricsFormat::open_metrics : MetricsFormat::text_0_0_4);
  co_return answer;
}

Awaitable<core::Result<Json>> MetricsFace::ask_control(std::string target) {
  LoopBridge::Work work = [this, target = std::move(target)] {
    HttpRequest request;
    request.target = target;
    return ask_(std::move(request), Caller());
  };
  co_return co_await bridge_.run(std::move(work));
}

}  // namespace gateway::daemon
