#include "core/log_limiter.h"

namespace gateway::core {

LogLimiter::Admission LogLimiter::admit(Place place, Monotonic now) {
  const auto [found, is_new] = windows_.try_emplace(place, Window{now});
  Window& window = found->second;
  // What was dropped has to be taken first.
  if (now - window.began >= kWindow && window.dropped == 0) window = Window{now};
  if (window.written < kLinesMax) {
    ++window.written;
    return window.written == kLinesMax ? Admission::write_as_last : Admission::write;
  }
  if (window.dropped++ == 0) ++overflowing_;
  return Admission::drop;
}

std::vector<LogLimiter::Dropped> LogLimiter::take_dropped(Monotonic now, bool all) {
  std::vector<Dropped> taken;
  if (overflowing_ == 0) return taken;
  for (auto& [place, window] : windows_) {
    if (window.dropped == 0 || (!all && now - window.began < kWindow)) continue;
    taken.push_back({place, window.dropped});
    window = Window{now};
    --overflowing_;
  }
  return taken;
}

}  // namespace gateway::core
