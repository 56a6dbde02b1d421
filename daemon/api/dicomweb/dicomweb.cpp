#include "daemon/api/dicomweb/dicomweb.h"

#include "core/log.h"
#include "core/text.h"
#include "daemon/api/dicomweb/answers.h"
#include "daemon/api/fhir/http_form.h"
#include "daemon/api/route_tree.h"
#include "sync/patient_trail.h"

namespace gateway::daemon::dicomweb {
namespace {

using core::cat;
using core::net::Awaitable;
using core::net::HttpPeer;
using core::net::HttpRequest;
using core::net::HttpResponse;

// Of four threads, which FHIR has too.
constexpr std::size_t kAtWorkMax = 2;
constexpr std::size_t kPicturesAtOnce = 1;
constexpr std::size_t kOpenMax = 8;

class Web final : public DicomWeb {
 public:
  Web(const sync::HoldingsDoor& door, const core::Clock& clock, std::shared_ptr<ReadTrail> trail)
      : door_(door), clock_(clock), trail_(std::move(trail)), memory_(std::make_shared<Memory>()) {}

  Awaitable<HttpResponse> answer(HttpRequest http, const HttpPeer& peer, const ApiClient* client,
                                 std::string host) override {
    if (client == nullptr) {
      core::log_warn("api", cat("a request from ", peer.address, " proved nobody; see docs"));
      co_return text_answer(401, "show a client certificate or a bearer token this gateway knows");
    }
    if (http.method != "GET" && http.method != "HEAD")
      co_return text_answer(405, "DICOMweb is for reading here: GET and HEAD");
    const std::string_view path = path_of(http).substr(std::string_view(kBasePath).size());
    auto place = place_of(path);
    if (!place.ok()) co_return refusal_of(place.error());
    Admitted admitted = admit(place->kind);
    while (!admitted.work) {
      co_await a_moment();
      admitted = admit(place->kind);
    }
    const Asked asked{http, peer, *client, host, path};
    co_return respond_to(asked, std::move(*place), std::move(admitted.open));
  }

 private:
  struct Asked {
    const HttpRequest& http;
    const HttpPeer& peer;
    const ApiClient& client;
    const std::string& host;
    std::string_view path;
  };
  struct Admitted {
    std::shared_ptr<void> work;  // null: not yet
    std::shared_ptr<void> picture;
    std::shared_ptr<void> open;
  };

  /// What a request of this kind needs for itself, or nothing.
  Admitted admit(Kind kind) {
    Admitted all;
    const bool is_picture = kind == Kind::rendered || kind == Kind::thumbnail;
    const bool stays_open = kind == Kind::frames || kind == Kind::bulk;
    if (!memory_->has_room()) return all;
    if (is_picture && !(all.picture = pictures_->try_take())) return all;
    if (stays_open && !(all.open = open_->try_take())) return all;
    all.work = work_->try_take();
    return all;
  }

  HttpResponse respond_to(const Asked& asked, Place place, std::shared_ptr<void> seat) {
    const auto& [http, peer, client, host, path] = asked;
    const std::string_view target = http.target;
    const auto question = target.find('?');
    auto query = sync::parse_query_pairs(question == target.npos ? std::string_view()
                                                                 : target.substr(question + 1));
    if (!query.ok()) return refusal_of(query.error());
    const bool is_search = place.kind == Kind::search;
    auto holdings = door_.get();
    if (!holdings) return text_answer(503, "the gateway is LOCKED; clinic-gateway status says why");
    auto accepted = accepted_by(http, *query);
    const Call call{std::move(holdings), std::move(place), std::move(*query),
                    std::move(accepted), host + kBasePath, std::move(seat)};
    const std::string what = is_search ? std::string(target.substr(0, kTargetMax)) : "";
    if (!client.may(is_search ? 's' : 'r', "ImagingStudy")) {
      (void)note(call, client, peer, "refuse", std::string(path.substr(0, kTargetMax)));
      return text_answer(
          403, cat("the client needs the scope system/ImagingStudy.", is_search ? "s" : "r"));
    }
    auto response = respond(call, {call.holdings, clock_, memory_});
    if (!response.ok()) return refusal_of(response.error());
    if (!note(call, client, peer, is_search ? "search" : "retrieve", what))
      return text_answer(503, "the gateway is busy; try again");
    return std::move(*response);
  }

  static std::vector<MediaRange> accepted_by(const HttpRequest& http,
                                             const sync::QueryPairs& query) {
    for (const auto& [name, value] : query) {
      if (name == "accept") return parse_accept(value);  // PS3.18 8.3.3.1
    }
    return parse_accept(fhir::header_of(http.headers, "Accept"));
  }

  /// Who read what, before it is shown. `what` empty: the study, and whose it is.
  bool note(const Call& call, const ApiClient& client, const HttpPeer& peer, std::string action,
            std::string what) {
    crypto::AuditEntry entry{.at = clock_.wall(),
                             .actor = cat("client:", client.name),
                             .action = std::move(action),
                             .resource = std::move(what),
                             .patient = "",
                             .source = peer.address,
                             .outcome = "success"};
    if (entry.action == "refuse") entry.outcome = "failed: forbidden";
    if (entry.resource.empty()) {
      const auto study = call.holdings->database().read_value<sync::TrailedStudy>(
          [&](crypto::Connection& connection) {
            return sync::trail_study(connection, call.place.study_uid);
          });
      if (!study.ok()) return false;
      entry.resource = study->resource;
      entry.patient = study->patient;
    }
    return trail_->note(call.holdings->database(), call.holdings->audit(), {std::move(entry)});
  }

  static constexpr std::size_t kTargetMax = 500;
  const sync::HoldingsDoor& door_;
  const core::Clock& clock_;
  const std::shared_ptr<ReadTrail> trail_;
  const std::shared_ptr<Memory> memory_;
  const std::shared_ptr<Seats> work_ = std::make_shared<Seats>(kAtWorkMax);
  const std::shared_ptr<Seats> pictures_ = std::make_shared<Seats>(kPicturesAtOnce);
  const std::shared_ptr<Seats> open_ = std::make_shared<Seats>(kOpenMax);
};

}  // namespace

std::unique_ptr<DicomWeb> DicomWeb::create(const sync::HoldingsDoor& door, const core::Clock& clock,
                                           std::shared_ptr<ReadTrail> trail) {
  return std::make_unique<Web>(door, clock, std::move(trail));
}

}  // namespace gateway::daemon::dicomweb
