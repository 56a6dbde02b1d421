#include "daemon/component.h"

#include "core/log.h"
#include "core/text.h"

namespace gateway::daemon {

Component::Component(boost::asio::any_io_executor loop, std::string name,
                     core::Milliseconds retry_every, std::function<core::Status()> start,
                     std::function<void()> changed)
    : name_(std::move(name)),
      retry_every_(retry_every),
      start_(std::move(start)),
      changed_(std::move(changed)),
      timer_(loop) {}

void Component::start() {
  if (running_ || !*alive_) return;
  wanted_ = true;
  const core::Status status = start_();
  if (!status.ok()) return failed(status.error(), true);
  running_ = true;
  if (!problem_.empty()) {
    core::log_info("daemon", core::cat(name_, ": works now"));
    problem_.clear();
  }
  changed_();
}

void Component::rest() {
  wanted_ = false;
  running_ = false;
  problem_.clear();
  timer_.cancel();
}

void Component::stop() {
  *alive_ = false;
  timer_.cancel();
}

void Component::failed(const core::Error& error, bool retry) {
  running_ = false;
  if (problem_ != error.message()) {
    problem_ = error.message();
    core::log_error("daemon", core::cat(name_, ": ", problem_));
    changed_();
  }
  if (retry) wait();
}

void Component::wait() {
  timer_.expires_after(retry_every_);
  timer_.async_wait([this, alive = alive_](const boost::system::error_code& error) {
    if (!error && *alive && wanted_) start();
  });
}

}  // namespace gateway::daemon
