#include "adapters/frame/device_clock.h"

#include <algorithm>
#include <span>

#include "core/text.h"

namespace gateway::adapters::frame {
namespace {

constexpr std::int64_t kMaxOffS = 300;
// A clock that is behind is so by about the same each time; messages that waited are not.
constexpr std::int64_t kSpreadMaxS = 600;

}  // namespace

void DeviceClock::note(core::Wall theirs, core::Wall ours, bool at_once) {
  if (theirs == core::Wall()) return;
  const std::lock_guard lock(mutex_);
  if (at_once || at_once_) noted_ = 0;
  at_once_ = at_once;
  last_[noted_++ % last_.size()] = {
      std::chrono::duration_cast<std::chrono::seconds>(theirs - ours).count(), theirs};
}

void DeviceClock::tell(core::Json& report) const {
  const std::lock_guard lock(mutex_);
  if (noted_ == 0) return;
  const std::span<const Noted> noted(last_.data(), std::min(noted_, last_.size()));
  const auto [least, most] = std::ranges::minmax_element(noted, {}, &Noted::ahead_s);
  const auto [first, last] = std::ranges::minmax_element(noted, {}, &Noted::theirs);
  const std::int64_t ahead_s = most->ahead_s;
  const bool tells_behind = noted.size() == last_.size() &&
                            most->ahead_s - least->ahead_s <= kSpreadMaxS &&
                            first->theirs < last->theirs;
  if (ahead_s < -kMaxOffS && !at_once_ && !tells_behind) return;
  report.set("clock_ahead_s", ahead_s);
  if ((ahead_s < kMaxOffS && ahead_s > -kMaxOffS) || !report["problem"].text().empty()) return;
  report.set("problem", core::cat("its clock is ", ahead_s < 0 ? -ahead_s : ahead_s, " s ",
                                  ahead_s < 0 ? "behind" : "ahead of",
                                  " the gateway's; set the one that is wrong"));
}

}  // namespace gateway::adapters::frame
