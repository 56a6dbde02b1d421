// The control socket's routes (HTTP/1.1 on a Unix socket, whose file mode says who may come in):
//
//   GET  /v1/status                 the status document
//   GET  /v1/studies?limit=N        newest studies: for the operator on the box, with patients
//   GET  /v1/queue?limit=N          the outbox, parked rows first
//   POST /v1/retry   {"number":N}   parked rows back to waiting; 0: all -> {"retried":K}
//   GET  /v1/storage                retention, scrub, damaged and unconfirmed images by name
//   POST /v1/pin     {"study_uid":"...","pinned":true} -> {"pinned":true}
//   POST /v1/rebuild-index          {} -> {"wanted":true}: done when the holdings open next
//   *    /v1/doctor, /v1/certificates, /v1/support-bundle  diagnostics.h
//   *    /v1/keys, /v1/keys/...     daemon/ops/keys_api.h
//   GET  /v1/audit/...              audit_routes.h
//   *    /v1/reviews, /v1/reviews/N reviews_routes.h
//   *    /v1/letters, /v1/letters/N letters_routes.h
//   *    /v1/criticals, /v1/criticals/N criticals_routes.h
//   *    /v1/results, /v1/results/N results_routes.h
//   *    /v1/peers, /v1/peers/...   peers_routes.h
//   POST /v1/uplinks/...            uplinks_routes.h
//   POST /v1/log-level              log_level_lease.h
//   POST /v1/reload                 reload.h
//   GET  /v1/worklist?limit=N       what modalities are offered today and later, with patients
//   GET  /v1/last-seen              {"devices":[{"name":"ae:CT1","last_seen"}]}, from the audit
//   trail
//   *    /v1/accounts, /v1/accounts/NAME accounts_routes.h
//   *    /v1/study/..., /v1/media/...  studies_api.h
//
// Every failure is {"error":{"code","message"}} with core::Code's name. Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/json.h"
#include "core/net/http.h"
#include "core/result.h"

namespace gateway::daemon {

/// Who asks, for the audit trail: over the socket the operator on the box, over the console an
/// account.
struct Caller {
  std::string actor = "operator";
  std::string source = "local";
};

/// What the routes ask of the gateway.
struct ControlActions {
  using JsonAnswer = core::net::Awaitable<core::Result<core::Json>>;
  std::function<JsonAnswer()> status;
  std::function<JsonAnswer(std::int64_t limit)> studies;
  std::function<JsonAnswer(std::int64_t limit)> queue;
  std::function<JsonAnswer(std::int64_t number, Caller caller)> retry;
  std::function<JsonAnswer()> doctor;
  std::function<JsonAnswer(std::string method, std::string path, std::string body)> keys;
  std::function<JsonAnswer()> storage;
  std::function<JsonAnswer(std::string study_uid, bool pinned)> pin;
  std::function<JsonAnswer()> rebuild_index;
  std::function<JsonAnswer(std::string target)> audit;
  using Work = std::function<JsonAnswer(std::string method, std::string path, std::string body,
                                        Caller caller)>;
  Work reviews;
  Work letters;
  Work criticals;
  Work results;
  Work accounts;
  Work peers;
  Work uplinks;
  std::function<core::Result<core::Json>(const std::string& body)> log_level;
  std::function<JsonAnswer(Caller caller)> reload;
  std::function<JsonAnswer(std::int64_t limit)> worklist;
  std::function<JsonAnswer()> last_seen;
  std::function<JsonAnswer()> certificates;
  std::function<JsonAnswer(std::string method)> support_bundle;
};

/// The answer, or {"error":...} with the status its code stands for.
core::net::HttpResponse respond(const core::Result<core::Json>& answer);

/// One request of whoever was let in. Whether the caller may ask it is the face's affair.
using ControlAsk = std::function<ControlActions::JsonAnswer(core::net::HttpRequest, Caller)>;
ControlAsk control_asks(ControlActions actions);

core::net::HttpHandler control_routes(ControlAsk ask);

}  // namespace gateway::daemon
