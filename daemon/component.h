// A part of the daemon that may fail to start (port in use, CA file missing): started, reported by
// one log line when it fails for a new reason, retried until it works. The rest keeps serving.
// Everything on the loop thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>

#include "core/clock.h"
#include "core/result.h"

namespace gateway::daemon {

class Component {
 public:
  /// `start` is tried now and every `retry_every` until it succeeds; `changed` runs after each
  /// change of outcome.
  Component(boost::asio::any_io_executor loop, std::string name, core::Milliseconds retry_every,
            std::function<core::Status()> start, std::function<void()> changed);
  ~Component() { stop(); }
  Component(const Component&) = delete;
  Component& operator=(const Component&) = delete;

  void start();
  /// Not wanted for now: what was started has been ended by its owner. start() begins again.
  void rest();
  /// No further attempt. What was started is the owner's to stop.
  void stop();
  /// It turned out later that it does not run: reported, and retried if `retry`.
  void failed(const core::Error& error, bool retry);

  const std::string& name() const { return name_; }
  bool running() const { return running_; }
  /// Why it does not run and what to do; empty while it runs.
  const std::string& problem() const { return problem_; }

 private:
  void wait();

  std::string name_;
  core::Milliseconds retry_every_;
  std::function<core::Status()> start_;
  std::function<void()> changed_;
  boost::asio::steady_timer timer_;
  bool wanted_ = false;
  bool running_ = false;
  std::string problem_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gateway::daemon
