#include "daemon/ops/watchdog.h"

#include "core/log.h"
#include "core/text.h"

namespace gateway::daemon {

void Progress::observe(const std::string& part, std::optional<std::uint64_t> counter,
                       core::Monotonic now) {
  if (!counter) {
    marks_.erase(part);
    return;
  }
  const auto [mark, is_new] = marks_.try_emplace(part, Mark{*counter, now});
  if (!is_new && mark->second.counter != *counter) mark->second = Mark{*counter, now};
}

void Progress::keep_only(const std::set<std::string>& parts) {
  std::erase_if(marks_, [&parts](const auto& mark) { return !parts.contains(mark.first); });
}

std::vector<std::string> Progress::stalled(core::Monotonic now, core::Milliseconds allowed) const {
  std::vector<std::string> parts;
  for (const auto& [part, mark] : marks_) {
    if (now - mark.moved > allowed) parts.push_back(part);
  }
  return parts;
}

Watchdog::Watchdog(boost::asio::any_io_executor loop, const core::Clock& clock,
                   core::Milliseconds period, std::function<std::vector<Part>()> parts,
                   std::function<void()> feed)
    : clock_(clock),
      period_(period),
      parts_(std::move(parts)),
      feed_(std::move(feed)),
      timer_(loop) {}

void Watchdog::start() { look(); }

void Watchdog::stop() {
  *alive_ = false;
  timer_.cancel();
}

void Watchdog::look() {
  const core::Monotonic now = clock_.monotonic();
  std::set<std::string> there;
  for (const Part& part : parts_()) {
    progress_.observe(part.name, part.counter(), now);
    there.insert(part.name);
  }
  progress_.keep_only(there);
  std::string names;
  for (const std::string& name : progress_.stalled(now, period_ / 2)) {
    names += core::cat(names.empty() ? "" : ", ", name);
  }
  if (names.empty()) {
    feed_();
  } else if (names != complained_) {
    core::log_error("daemon", core::cat("stands still: ", names,
                                        "; systemd will restart the gateway if it stays so"));
  }
  complained_ = std::move(names);
  timer_.expires_after(period_ / 4);
  timer_.async_wait([this, alive = alive_](const boost::system::error_code& error) {
    if (!error && *alive) look();
  });
}

}  // namespace gateway::daemon
