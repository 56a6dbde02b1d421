// From the threads of an HTTPS server to the daemon's loop and back: a handler awaits work that may
// run on the loop only. Closing it wakes everybody who waits, so that the server can end while the
// loop stands still.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>

#include "core/json.h"
#include "core/net/http.h"
#include "core/result.h"

namespace gateway::daemon {

/// Thread-safe.
class LoopBridge {
 public:
  using Work = std::function<core::net::Awaitable<core::Result<core::Json>>()>;

  explicit LoopBridge(boost::asio::any_io_executor loop);
  ~LoopBridge() { close(); }
  LoopBridge(const LoopBridge&) = delete;
  LoopBridge& operator=(const LoopBridge&) = delete;

  /// Runs `work` on the loop and resumes where it was awaited. Code::busy: 64 wait already;
  /// Code::cancelled: closed meanwhile, while the work goes on to its end on the loop.
  core::net::Awaitable<core::Result<core::Json>> run(Work work);
  /// Before the server whose handlers wait here ends.
  void close();

 private:
  struct Waiting;
  struct Waiters;
  boost::asio::any_io_executor loop_;
  std::shared_ptr<Waiters> waiters_;
};

}  // namespace gateway::daemon
