// Waiting in tests: for a condition with a deadline, or for a coroutine.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <exception>
#include <functional>
#include <optional>
#include <thread>

namespace gateway::fakes {

/// True as soon as `condition` holds, false after `deadline`.
inline bool eventually(const std::function<bool()>& condition,
                       std::chrono::milliseconds deadline = std::chrono::seconds(20)) {
  const auto until = std::chrono::steady_clock::now() + deadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

template <class T>
boost::asio::awaitable<void> keep_result(boost::asio::awaitable<T> work, std::optional<T>& out) {
  out.emplace(co_await std::move(work));
}

/// Starts `work`; its result appears in `out` while the loop runs. An exception ends the test
/// program.
template <class T>
void start(boost::asio::io_context& loop, boost::asio::awaitable<T> work, std::optional<T>& out) {
  boost::asio::co_spawn(loop, keep_result(std::move(work), out),
                        [](const std::exception_ptr& thrown) {
                          if (thrown) std::rethrow_exception(thrown);
                        });
}

/// Runs the loop until `condition` holds; it is looked at after each event.
inline void run_until(boost::asio::io_context& loop, const std::function<bool()>& condition) {
  loop.restart();
  while (!condition() && loop.run_one() > 0) {
  }
}

/// Runs the loop until `work` is done.
template <class T>
T await(boost::asio::io_context& loop, boost::asio::awaitable<T> work) {
  std::optional<T> out;
  start(loop, std::move(work), out);
  run_until(loop, [&out] { return out.has_value(); });
  return std::move(out).value();
}

}  // namespace gateway::fakes
