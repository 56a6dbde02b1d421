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
  /// returned. `work` must not throw, and owns what it touches. Name it before you pass it: g++ 12
  /// destroys the captures of a lambda written inside a co_await expression twice.
  template <class Work>
  auto run(Work work) -> core::net::Awaitable<decltype(work())> {
    using Answer = decltype(work());
    // co_spawn needs a default-constructible result, which a Result is not.
    auto task = on_lane<Answer>(std::move(work));
    std::optional<Answer> answer =
        co_await boost::asio::co_spawn(pool_, std::move(task), boost::asio::use_awaitable);
    co_return std::move(*answer);
  }

 private:
  template <class Answer, class Work>
  static core::net::Awaitable<std::optional<Answer>> on_lane(Work work) {
    co_return std::optional<Answer>(work());
  }

  boost::asio::thread_pool pool_;
};

}  // namespace gateway::daemon
