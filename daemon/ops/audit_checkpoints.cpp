#include "daemon/ops/audit_checkpoints.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <utility>

#include "core/log.h"
#include "core/text.h"
#include "daemon/blocking.h"

namespace gateway::daemon {

AuditCheckpoints::AuditCheckpoints(boost::asio::any_io_executor loop, sync::HoldingsDoor& door,
                                   BlockingLane& lane, core::Milliseconds every,
                                   std::function<void(const core::Json&)> publish)
    : loop_(std::move(loop)),
      door_(door),
      lane_(lane),
      every_(every),
      publish_(std::move(publish)),
      timer_(loop_) {}

void AuditCheckpoints::start() { take(); }

void AuditCheckpoints::stop() {
  *alive_ = false;
  timer_.cancel();
}

void AuditCheckpoints::wait() {
  timer_.expires_after(every_);
  timer_.async_wait([this, alive = alive_](const boost::system::error_code& error) {
    if (!error && *alive) take();
  });
}

void AuditCheckpoints::take() {
  auto holdings = door_.get();
  if (!holdings) return wait();
  boost::asio::co_spawn(
      loop_,
      [](AuditCheckpoints* self, std::shared_ptr<bool> alive,
         std::shared_ptr<sync::Holdings> held) -> core::net::Awaitable<void> {
        auto sign = [held = std::move(held)] { return held->witness()->take(); };
        const core::Result<crypto::AuditCheckpoint> taken =
            co_await self->lane_.run(std::move(sign));
        if (!*alive) co_return;
        if (taken.ok()) {
          self->publish_(taken->document());
        } else {
          core::log_warn("daemon", core::cat("audit checkpoint: ", taken.error().message()));
        }
        self->wait();
      }(this, alive_, std::move(holdings)),
      boost::asio::detached);
}

}  // namespace gateway::daemon
