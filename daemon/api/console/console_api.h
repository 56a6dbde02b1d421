// The JSON below /console/api/ for the console's pages: sign-in, and the control socket's routes
// for whoever is signed in and may (places.h). What it answers is what `clinic-gateway --json`
// prints.
//
//   GET  session           {"signed_in","name","role","csrf","site","state"}; the one answer for
//                          everybody, LOCKED or not
//   POST sign-in           {"name","password"} -> as session, with the cookie; 401; 429 with
//                          Retry-After after too many failures; 503 LOCKED
//   POST sign-out          {}
//   GET  overview          overview.h
//   GET  events            server-sent events "overview" whenever that document changes, "ended"
//                          when the session is over
//   GET  studies/UID/thumbnail  image/jpeg; 204 where nothing of the study is a picture
//   GET, POST ...          places.h
//
// Every POST carries application/json and, but for sign-in, the session's csrf in X-CSRF-Token. A
// page that keeps itself up to date says so by "X-Reload: page" and does not keep its session
// alive. Sign-ins, refusals, looks at patients and changes are in the audit trail as "user:NAME".
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>

#include "core/clock.h"
#include "core/net/https_server.h"
#include "daemon/api/console/sessions.h"
#include "daemon/ops/control.h"
#include "sync/holdings.h"

namespace gateway::daemon::console {

class ConsoleApi {
 public:
  /// `ask` is run on `loop`. `door` and `clock` outlive it.
  static std::unique_ptr<ConsoleApi> create(boost::asio::any_io_executor loop, ControlAsk ask,
                                            std::string site, const sync::HoldingsDoor& door,
                                            const core::Clock& clock);
  virtual ~ConsoleApi() = default;
  /// On a thread of the HTTPS server.
  virtual core::net::Awaitable<core::net::HttpResponse> answer(core::net::HttpRequest request,
                                                               const core::net::HttpPeer& peer) = 0;
  /// Thread-safe.
  virtual Sessions& sessions() = 0;
  /// Wakes what waits for the loop; before the HTTPS server goes.
  virtual void close() = 0;
};

}  // namespace gateway::daemon::console
