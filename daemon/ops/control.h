// The control socket's routes (HTTP/1.1 on a Unix socket, whose file mode says who may come in):
//
//   GET  /v1/status                 the status document
//   GET  /v1/studies?limit=N        newest studies: for the operator on the box, with patients
//   GET  /v1/queue?limit=N          the outbox, parked rows first
//   POST /v1/retry   {"number":N}   parked rows back to waiting; 0: all -> {"retried":K}
//   POST /v1/unlock  passphrase     as raw bytes, so that no parser leaves copies of it behind
//   GET  /v1/doctor                 {"findings":[...]}
//   GET  /v1/audit/...              audit_routes.h
//
// Every failure is {"error":{"code","message"}} with core::Code's name. Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/json.h"
#include "core/net/http.h"
#include "core/result.h"
#include "crypto/keyring.h"

namespace gateway::daemon {

/// What the routes ask of the gateway.
struct ControlActions {
  using JsonAnswer = core::net::Awaitable<core::Result<core::Json>>;
  std::function<JsonAnswer()> status;
  std::function<JsonAnswer(std::int64_t limit)> studies;
  std::function<JsonAnswer(std::int64_t limit)> queue;
  std::function<JsonAnswer(std::int64_t number)> retry;
  std::function<JsonAnswer(crypto::Passphrase)> unlock;
  std::function<JsonAnswer()> doctor;
  std::function<JsonAnswer(std::string target)> audit;
};

core::net::HttpHandler control_routes(ControlActions actions);

}  // namespace gateway::daemon
