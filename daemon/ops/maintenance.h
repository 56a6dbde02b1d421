// Rotation of keys and backup runs, on a thread of their own, and their routes on the control
// socket (before the others, see control.h):
//
//   POST /v1/keys/rotate  {"what":"database"|"epoch"|"root"|"all"}
//   POST /v1/backup       {"to":"/FOLDER"}          begins a run; the one before it ends. The
//                                                   folder is only looked at: Code::refused when
//                                                   it is, meets or lies in the state folder
//   GET  /v1/backup/RUN/pieces?from=N               names of the database's pieces, in order
//   GET  /v1/backup/RUN/bodies?from=N               {"bodies":[["<uuid>",BYTES],...]}; of one that
//                                                   may be damaged [..,OPENS,"why"] follows
//   GET  /v1/backup/RUN/piece/N                     bytes
//   GET  /v1/backup/RUN/body/UUID?from=OFFSET       bytes, at most 1 MiB; none at the end
//   GET  /v1/backup/RUN/check/UUID                  {"whole":true}, or {"whole":false,"why":".."};
//                                                   404: deleted since
//   GET  /v1/backup/RUN/key-part/NAME?from=OFFSET   bytes, at most 1 MiB; none at the end
//   POST /v1/backup/RUN/done  {"files":N,"bytes":N,"outcome":"success"}
//   POST /v1/restore/dismiss                        the report of a restore was dealt with
//
// All audited. Loop thread only.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>

#include "core/clock.h"
#include "core/json.h"
#include "core/net/http.h"
#include "crypto/backup_source.h"
#include "daemon/blocking.h"
#include "daemon/ops/control.h"
#include "sync/holdings.h"

namespace gateway::daemon {

class Maintenance {
 public:
  /// `door` and `clock` outlive it. `changed` runs when what problem() says has changed.
  Maintenance(boost::asio::any_io_executor loop, const sync::HoldingsDoor& door,
              const core::Clock& clock, std::string state_folder, std::function<void()> changed);
  ~Maintenance();
  Maintenance(const Maintenance&) = delete;
  Maintenance& operator=(const Maintenance&) = delete;

  /// Its own routes, else `rest`.
  core::net::HttpHandler routes(core::net::HttpHandler rest);
  /// What POST /v1/keys/rotate does, for whoever asks otherwise.
  core::net::Awaitable<core::Result<core::Json>> rotate(std::string body, Caller caller);
  /// Removes what an interrupted backup left, goes on with an interrupted rotation.
  void on_opened(std::shared_ptr<sync::Holdings> holdings);
  /// What a restore could not bring back, until an operator dismisses it; else empty.
  const std::string& problem() const { return problem_; }
  /// The writer may be proving a large copy: it commits nothing meanwhile, and that is no stall.
  bool rotating() const { return rotating_; }
  /// Waits for what runs.
  void stop();

 private:
  using Response = core::net::HttpResponse;
  struct Run;

  core::net::Awaitable<Response> answer(core::net::HttpRequest request);
  core::net::Awaitable<core::Result<core::Json>> begin_backup(std::string body);
  core::net::Awaitable<core::Result<Response>> continue_backup(std::string target,
                                                               std::string body);
  core::net::Awaitable<core::Result<core::Json>> end_backup(std::string body);
  core::net::Awaitable<core::Result<core::Json>> dismiss();
  void look_for_report();
  void expire_later();

  boost::asio::any_io_executor loop_;
  const sync::HoldingsDoor& door_;
  const core::Clock& clock_;
  const std::string state_folder_;
  std::function<void()> changed_;
  std::string problem_;
  bool rotating_ = false;
  std::shared_ptr<Run> run_;
  boost::asio::steady_timer expiry_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  BlockingLane lane_;
};

}  // namespace gateway::daemon
