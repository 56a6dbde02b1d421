#include "adapters/frame/device_traffic.h"

#include <algorithm>

namespace gateway::adapters::frame {
namespace {

using core::Json;

std::int64_t milliseconds_of(core::Wall time) {
  return std::chrono::duration_cast<core::Milliseconds>(time.time_since_epoch()).count();
}

}  // namespace

void DeviceTraffic::watch(core::Wall since) { watched_ms_ = milliseconds_of(since); }

void DeviceTraffic::see(core::Wall now) { last_seen_ms_ = milliseconds_of(now); }

void DeviceTraffic::count(sync::Taken::Outcome outcome) {
  switch (outcome) {
    case sync::Taken::Outcome::stored:
      ++stored_;
      break;
    case sync::Taken::Outcome::repeated:
      ++repeated_;
      break;
    case sync::Taken::Outcome::unassigned:
      ++unassigned_;
      break;
    case sync::Taken::Outcome::dead:
      ++dead_;
      break;
  }
}

core::Wall DeviceTraffic::last_seen() const {
  return core::Wall(core::Milliseconds(last_seen_ms_.load()));
}

Json DeviceTraffic::report(const DeviceOptions& device, core::Wall now) const {
  const auto heard = std::max(last_seen_ms_.load(), watched_ms_.load());
  const bool is_silent = device.silent_after.count() > 0 && heard > 0 &&
                         milliseconds_of(now) - heard > device.silent_after.count();
  Json counts = Json::object({{"stored", stored_.load()},
                              {"repeated", repeated_.load()},
                              {"unassigned", unassigned_.load()},
                              {"dead", dead_.load()},
                              {"refused", refused_.load()}});
  if (controls_ > 0) counts.set("controls", controls_.load());
  if (samples_ > 0) counts.set("samples", samples_.load());
  Json report = Json::object({{"name", device.profile.name}});
  if (!device.model.empty()) report.set("profile", device.model);
  report.set("last_seen", instant_or_null(last_seen()));
  report.set("silent", is_silent);
  report.set("counts", std::move(counts));
  clock_.tell(report);
  return report;
}

Json instant_or_null(core::Wall time) {
  if (time == core::Wall()) return {};
  return core::to_instant(time);
}

}  // namespace gateway::adapters::frame
