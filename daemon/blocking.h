// Database reads and file checks off the loop: one thread that coroutines of the loop wait for.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <utility>

#include "core/net/http.h"

namespace gateway::daemon {

class BlockingLane {
 public:
  BlockingLane() : pool_(1) {}
  /// Waits for what runs; what has not begun is dropped.
  ~BlockingLane() { stop(); }
  void stop() {
    pool_.stop();
    pool_.join();
  }

  /// Runs `work` on the lane's thread; the caller goes on, on its own executor, with what it
  /// returned. `work` must not throw, and owns what it touches.
  template <class Work>
  auto run(Work work) -> core::net::Awaitable<decltype(work())> {
    using Answer = decltype(work());
    // co_spawn needs a default-constructible result, which a Result is not.
    auto answer = co_await boost::asio::co_spawn(
        pool_,
        [](Work inner) -> core::net::Awaitable<std::optional<Answer>> {
          co_return std::optional<Answer>(inner());
        }(std::move(work)),
        boost::asio::use_awaitable);
    co_return std::move(*answer);
  }

 private:
  boost::asio::thread_pool pool_;
};

}  // namespace gateway::daemon
