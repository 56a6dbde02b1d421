#include "daemon/api/fhir/fhir_server.h"

#include <utility>

#include "core/files.h"
#include "core/log.h"
#include "core/net/https_server.h"
#include "core/text.h"
#include "daemon/api/dicomweb/dicomweb.h"
#include "daemon/api/dicomweb/place.h"
#include "daemon/api/fhir/http_form.h"
#include "daemon/api/fhir/interactions.h"
#include "daemon/api/read_trail.h"
#include "daemon/api/route_tree.h"
#include "daemon/api/uploads/upload_server.h"
#include "sync/async_write.h"

namespace gateway::daemon::fhir {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::Json;
using core::net::Awaitable;
using core::net::HttpPeer;
using core::net::HttpRequest;
using core::net::HttpResponse;

constexpr std::size_t kBatchMax = 1'000;

/// All that one request needs beside itself.
struct Call {
  std::shared_ptr<sync::Holdings> holdings;
  const core::Clock& clock;
  const ApiClient& client;
  std::string base;
  std::string site;
  std::string address;

  sync::Editing editing() const {
    return {holdings->audit(),
            clock,
            holdings->options().worklist,
            holdings->options().ingest.fhir_uplinks,
            cat("client:", client.name),
            address};
  }
};

class Server final : public FhirServer {
 public:
  Server(const core::Config& config, FhirServerOptions options, const sync::HoldingsDoor& door,
         const core::Clock& clock, std::function<void()> wake)
      : access_(Access::from(config)),
        options_(std::move(options)),
        door_(door),
        clock_(clock),
        wake_(std::move(wake)),
        web_(dicomweb::DicomWeb::create(door, clock, trail_)) {
    if (options_.takes_uploads) uploads_ = UploadServer::create(door, clock);
  }

  core::Status listen(const core::Config& config) {
    core::net::HttpsServerOptions https;
    https.address = config.text("api.bind");
    https.port = static_cast<std::uint16_t>(config.integer("api.port"));
    https.certificate_file = config.text("api.certificate_file");
    https.key_file = config.text("api.key_file");
    https.client_ca_file = config.text("api.client_ca_file");
    https.body_max = kBodyMax;
    https.threads = 4;  // a picture is made on one of them
    https.refuse = refused_by_http;
    faces_.mount("", [this](HttpRequest request, const HttpPeer& peer) {
      return answer(std::move(request), peer);
    });
    faces_.mount(dicomweb::kBasePath, [this](HttpRequest request, const HttpPeer& peer) {
      const ApiClient* client = client_of(request, peer);
      const std::string origin = origin_of(request);
      return web_->answer(std::move(request), peer, client, origin);
    });
    if (uploads_) {
      https.arrives = [](std::string_view target) {
        constexpr std::string_view base = UploadServer::kBasePath;
        if (!target.starts_with(base)) return false;
        return target.size() == base.size() || target[base.size()] == '/' ||
               target[base.size()] == '?';
      };
      https.arriving = [this](HttpRequest request, const HttpPeer& peer,
                              core::net::BodyArrival& body) {
        const ApiClient* client = client_of(request, peer);
        const std::string origin = origin_of(request);
        return uploads_->answer(std::move(request), peer, body, client, origin);
      };
    }
    GW_TRY(https_,
           core::net::HttpsServer::listen(https, [this](HttpRequest request, const HttpPeer& peer) {
             return faces_.answer(std::move(request), peer);
           }));
    return {};
  }

  std::uint16_t port() const override { return https_->port(); }

 private:
  Awaitable<HttpResponse> answer(HttpRequest http, const HttpPeer& peer) {
    const std::string base = base_of(http);
    FhirResponse response = co_await respond(http, peer, base);
    co_return to_http(std::move(response), base, http.headers);
  }

  Awaitable<FhirResponse> respond(const HttpRequest& http, const HttpPeer& peer,
                                  const std::string& base) {
    ReadRequest read = read_head(http);
    if (read.refused) co_return std::move(*read.refused);
    FhirRequest& request = read.request;
    // The one thing that is nobody's secret (R4 3.1.0.10).
    const bool looks = request.method == "GET" || request.method == "HEAD";
    if (looks && request.path == "metadata") {
      FhirResponse response;
      response.body = capability_statement(base, options_.site);
      co_return response;
    }
    const ApiClient* client = client_of(http, peer);
    if (client == nullptr) {
      core::log_warn("api", cat("a request from ", peer.address, " proved nobody; see docs"));
      co_return refusal(401, "login",
                        "show a client certificate or a bearer token that this gateway knows");
    }
    auto holdings = door_.get();
    if (!holdings) {
      co_return refusal(503, "transient",
                        "the gateway is LOCKED: it has no key to its records yet; somebody must "
                        "unlock it (clinic-gateway status says why)");
    }
    if (auto refused = read_body(http, request)) co_return std::move(*refused);
    const Call call{std::move(holdings), clock_, *client, base, options_.site, peer.address};
    auto what = interaction_of(request);
    if (!what.ok()) co_return refused_place(std::move(request), what.error());
    const std::string place = cat(request.method, " ", request.path);
    FhirResponse response;
    // Not one conditional expression: g++ 12 destroys the result of a co_await within it twice.
    if (what->kind == Kind::bundle) {
      response = co_await run_bundle(call, std::move(request));
    } else {
      response = co_await run(call, std::move(request), std::move(*what));
    }
    if (response.status == 403) note_refused(call, place);
    co_return response;
  }

  /// Who tried what they may not do; the answer stands, whatever becomes of the note.
  void note_refused(const Call& call, const std::string& place) {
    crypto::AuditEntry entry{.at = clock_.wall(),
                             .actor = cat("client:", call.client.name),
                             .action = "refuse",
                             .resource = place,
                             .patient = "",
                             .source = call.address,
                             .outcome = "failed: forbidden"};
    (void)trail_->note(call.holdings->database(), call.holdings->audit(), {std::move(entry)});
  }

  static FhirResponse refused_place(FhirRequest request, const Error& error) {
    if (error.code() != Code::invalid) return refusal_of(error);
    FhirResponse response = refusal(405, "not-supported", error.message());
    response.allow = allowed_methods(std::move(request));
    return response;
  }

  /// A certificate that is known counts; else the token.
  const ApiClient* client_of(const HttpRequest& http, const HttpPeer& peer) const {
    if (const ApiClient* known = access_.by_certificate(peer.names)) return known;
    std::string_view said = header_of(http.headers, "Authorization");
    constexpr std::string_view kBearer = "bearer ";
    if (core::to_lower_ascii(said.substr(0, kBearer.size())) != kBearer) return nullptr;
    return access_.by_token(core::trim(said.substr(kBearer.size())));
  }

  Awaitable<FhirResponse> run(const Call& call, FhirRequest request, Interaction what) {
    if (!what.writes()) co_return run_read(call, request, what);
    auto work = [request = std::move(request), what = std::move(what)](Desk& desk) {
      return perform(desk, request, what);
    };
    co_return co_await run_write(call, std::move(work));
  }

  Awaitable<FhirResponse> run_bundle(const Call& call, FhirRequest bundle) {
    const std::string_view type = bundle.body["type"].text();
    if (bundle.body["resourceType"].text() != "Bundle" ||
        (type != "batch" && type != "transaction"))
      co_return refusal(400, "invalid", "post a Bundle of type batch or transaction here");
    if (bundle.body["entry"].size() > kBatchMax) {
      co_return refusal(413, "too-costly", cat("more than ", kBatchMax, " entries; send fewer"));
    }
    if (type == "batch") co_return co_await run_batch(call, bundle);
    auto work = [bundle = std::move(bundle)](Desk& desk) {
      return answer_transaction(desk, bundle);
    };
    co_return co_await run_write(call, std::move(work));
  }

  /// Each entry by itself: one that is refused leaves the others alone.
  Awaitable<FhirResponse> run_batch(const Call& call, const FhirRequest& bundle) {
    Json answers = Json::array();
    for (const Json& entry : bundle.body["entry"].items()) {
      FhirResponse response;
      auto request = request_of_entry(entry, bundle, call.base);
      auto what =
          request.ok() ? interaction_of(*request) : core::Result<Interaction>(request.error());
      if (!what.ok()) {
        response = refusal_of(what.error());
      } else if (what->kind == Kind::bundle || what->kind == Kind::capabilities) {
        response = refusal(400, "invalid", "a Bundle holds no Bundle and no metadata request");
      } else {
        response = co_await run(call, std::move(*request), std::move(*what));
      }
      answers.add(entry_of(response, call.base));
    }
    FhirResponse response;
    response.body = Json::object({{"resourceType", "Bundle"}, {"type", "batch-response"}});
    if (answers.size() > 0) response.body.set("entry", std::move(answers));
    co_return response;
  }

  FhirResponse run_read(const Call& call, const FhirRequest& request, const Interaction& what) {
    FhirResponse response;
    std::vector<crypto::AuditEntry> reads;
    const auto status =
        call.holdings->database().read([&](crypto::Connection& connection) -> core::Status {
          const sync::Editing editing = call.editing();
          Desk desk{connection, editing, call.client, call.base, call.site};
          response = perform(desk, request, what);
          reads = std::move(desk.reads);
          return {};
        });
    if (!status.ok()) return logged(status.error());
    sync::Holdings& holdings = *call.holdings;
    if (!reads.empty() && !trail_->note(holdings.database(), holdings.audit(), std::move(reads)))
      return refusal(503, "throttled", "the gateway is busy; try again");
    return response;
  }

  template <class Work>
  Awaitable<FhirResponse> run_write(const Call& call, Work work) {
    const auto free_bytes = core::system_files().free_bytes(options_.state_folder);
    if (free_bytes.ok() && *free_bytes < options_.reserve_bytes)
      co_return refusal_of(Error(Code::no_space, ""));
    auto response = std::make_shared<FhirResponse>();
    // The caller's frame outlives the change; holdings that went with a change on their own writer
    // thread would wait for themselves.
    crypto::Change change =
        [&call, response, work = std::move(work)](crypto::Connection& connection) -> core::Status {
      const sync::Editing editing = call.editing();
      Desk desk{connection, editing, call.client, call.base, call.site};
      *response = work(desk);
      if (!response->ok()) return Error(Code::refused, "undone");
      for (const crypto::AuditEntry& entry : desk.reads)
        GW_CHECK(call.holdings->audit().append(connection, entry));
      return {};
    };
    const core::Status status =
        co_await sync::write_async(call.holdings->database(), std::move(change));
    if (!status.ok() && response->ok()) co_return logged(status.error());
    if (status.ok()) wake_();
    co_return std::move(*response);
  }

  static FhirResponse logged(const Error& error) {
    core::log_error("api", cat("a request failed: ", core::to_string(error.code())));
    return refusal_of(error);
  }

  const Access access_;
  const FhirServerOptions options_;
  const sync::HoldingsDoor& door_;
  const core::Clock& clock_;
  const std::function<void()> wake_;
  const std::shared_ptr<ReadTrail> trail_ = std::make_shared<ReadTrail>();
  const std::unique_ptr<dicomweb::DicomWeb> web_;
  std::unique_ptr<UploadServer> uploads_;  // null: not a hub
  RouteTree faces_;
  std::unique_ptr<core::net::HttpsServer> https_;  // ends first: it calls into the rest
};

}  // namespace

core::Result<std::unique_ptr<FhirServer>> FhirServer::start(const core::Config& config,
                                                            FhirServerOptions options,
                                                            const sync::HoldingsDoor& door,
                                                            const core::Clock& clock,
                                                            std::function<void()> wake) {
  auto server = std::make_unique<Server>(config, std::move(options), door, clock, std::move(wake));
  GW_CHECK(server->listen(config));
  return std::unique_ptr<FhirServer>(std::move(server));
}

}  // namespace gateway::daemon::fhir
