#include "tests/sim/virtual_time.h"

#include <algorithm>

namespace gateway::sim {

void VirtualTime::at(core::Monotonic time, std::function<void()> what) {
  due_.emplace(std::pair(std::max(time, now_), asked_++), std::move(what));
}

void VirtualTime::settle() {
  loop_.restart();
  while (loop_.poll() > 0) loop_.restart();
}

bool VirtualTime::step(core::Monotonic limit) {
  if (due_.empty() || due_.begin()->first.first > limit) {
    now_ = std::max(now_, limit);
    return false;
  }
  auto first = due_.extract(due_.begin());
  now_ = first.key().first;
  first.mapped()();
  settle();
  return true;
}

void VirtualTime::clear() {
  while (!due_.empty()) {
    due_.clear();
    settle();
  }
}

core::Wall wall_at(core::Monotonic time) {
  // 2026-03-01T08:00:00Z
  constexpr std::chrono::seconds kBegin(1'772'352'000);
  return core::Wall(kBegin +
                    std::chrono::duration_cast<core::Milliseconds>(time.time_since_epoch()));
}

}  // namespace gateway::sim
