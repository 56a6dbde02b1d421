#include "daemon/api/loop_bridge.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <mutex>
#include <optional>
#include <set>

namespace gateway::daemon {
namespace {

namespace asio = boost::asio;
using core::Code;
using core::Error;
using core::Json;
using core::net::Awaitable;

constexpr std::size_t kWaitingMax = 64;

Error closed() { return {Code::cancelled, "the gateway is stopping"}; }

}  // namespace

/// One who waits. Whoever finishes it first lets go of the waiter's executor, which does not
/// outlive the waiter's server.
struct LoopBridge::Waiting {
  std::mutex mutex;
  std::optional<core::Result<Json>> answer;  // guarded by mutex
  asio::any_io_executor executor;            // guarded by mutex; empty once there is an answer
  std::weak_ptr<asio::steady_timer> alarm;

  bool is_finished() {
    const std::lock_guard lock(mutex);
    return answer.has_value();
  }
  void finish(core::Result<Json> result) {
    const std::lock_guard lock(mutex);
    if (answer) return;
    answer.emplace(std::move(result));
    if (auto held = alarm.lock()) asio::post(executor, [held] { held->cancel(); });
    executor = {};
  }
};

struct LoopBridge::Waiters {
  std::mutex mutex;
  bool closed = false;                           // guarded by mutex
  std::set<std::shared_ptr<Waiting>> everybody;  // guarded by mutex

  core::Status enter(const std::shared_ptr<Waiting>& one) {
    const std::lock_guard lock(mutex);
    if (closed) return daemon::closed();
    if (everybody.size() >= kWaitingMax)
      return Error(Code::busy, "too many requests at once; try again");
    everybody.insert(one);
    return {};
  }
  void leave(const std::shared_ptr<Waiting>& one) {
    const std::lock_guard lock(mutex);
    everybody.erase(one);
  }
};

LoopBridge::LoopBridge(asio::any_io_executor loop)
    : loop_(std::move(loop)), waiters_(std::make_shared<Waiters>()) {}

void LoopBridge::close() {
  std::set<std::shared_ptr<Waiting>> everybody;
  {
    const std::lock_guard lock(waiters_->mutex);
    waiters_->closed = true;
    everybody.swap(waiters_->everybody);
  }
  for (const auto& one : everybody) one->finish(closed());
}

Awaitable<core::Result<Json>> LoopBridge::run(Work work) {
  const auto waiters = waiters_;
  const auto waiting = std::make_shared<Waiting>();
  const auto executor = co_await asio::this_coro::executor;
  const auto alarm =
      std::make_shared<asio::steady_timer>(executor, asio::steady_timer::time_point::max());
  waiting->executor = executor;
  waiting->alarm = alarm;
  GW_CO_CHECK(waiters->enter(waiting));
  auto task = [](Work asked, std::shared_ptr<Waiting> by,
                 std::shared_ptr<Waiters> all) -> Awaitable<void> {
    // Closed before its turn came: what the work uses may be gone.
    if (by->is_finished()) co_return;
    core::Result<Json> result = co_await asked();
    all->leave(by);
    by->finish(std::move(result));
  };
  asio::co_spawn(loop_, task(std::move(work), waiting, waiters), asio::detached);
  // Nobody cancels the alarm before this: that is posted to the executor we run on.
  const auto [woken] = co_await alarm->async_wait(asio::as_tuple(asio::use_awaitable));
  (void)woken;
  const std::lock_guard lock(waiting->mutex);
  if (!waiting->answer) co_return closed();
  co_return std::move(*waiting->answer);
}

}  // namespace gateway::daemon
