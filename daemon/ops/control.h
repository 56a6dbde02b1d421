// The control socket's routes (HTTP/1.1 on a Unix socket, whose file mode says who may come in):
//
//   GET  /v1/status                 the status document
//   GET  /v1/studies?limit=N        newest studies: for the operator on the box, with patients
//   GET  /v1/queue?limit=N          the outbox, parked rows first
//   POST /v1/retry   {"number":N}   parked rows back to waiting; 0: all -> {"retried":K}
//   GET  /v1/storage                retention, scrub, damaged and unconfirmed images by name
//   POST /v1/pin     {"study_uid":"...","pinned":true} -> {"pinned":true}
//   POST /v1/rebuild-index          {} -> {"wanted":true}: done when the holdings open next
//   GET  /v1/doctor                 {"findings":[...]}
//   *    /v1/keys, /v1/keys/...     daemon/ops/keys_api.h
//   GET  /v1/audit/...              audit_routes.h
//   *    /v1/reviews, /v1/reviews/N reviews_routes.h
//   *    /v1/letters, /v1/letters/N letters_routes.h
//   *    /v1/peers, /v1/peers/...   peers_routes.h
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

/// What the routes ask of the gateway.
struct ControlActions {
  using JsonAnswer = core::net::Awaitable<core::Result<core::Json>>;
  std::function<JsonAnswer()> status;
  std::function<JsonAnswer(std::int64_t limit)> studies;
  std::function<JsonAnswer(std::int64_t limit)> queue;
  std::function<JsonAnswer(std::int64_t number)> retry;
  std::function<JsonAnswer()> doctor;
  std::function<JsonAnswer(std::string method, std::string path, std::string body)> keys;
  std::function<JsonAnswer()> storage;
  std::function<JsonAnswer(std::string study_uid, bool pinned)> pin;
  std::function<JsonAnswer()> rebuild_index;
  std::function<JsonAnswer(std::string target)> audit;
  std::function<JsonAnswer(std::string method, std::string path, std::string body)> reviews;
  std::function<JsonAnswer(std::string method, std::string path, std::string body)> letters;
  std::function<JsonAnswer(std::string method, std::string path, std::string body)> peers;
};

/// The answer, or {"error":...} with the status its code stands for.
core::net::HttpResponse respond(const core::Result<core::Json>& answer);

core::net::HttpHandler control_routes(ControlActions actions);

}  // namespace gateway::daemon
