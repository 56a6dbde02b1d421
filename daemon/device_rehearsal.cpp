#include "daemon/device_rehearsal.h"

#include "adapters/astm/rehearsal.h"
#include "adapters/filedrop/dropped.h"

namespace gateway::daemon {
namespace {

using core::Json;

Json outcomes_of(const std::vector<std::shared_ptr<sync::IncomingMessage>>& messages) {
  Json list = Json::array();
  for (const auto& message : messages) list.add(adapters::profiles::outcome_of(*message));
  return Json::object({{"messages", std::move(list)}});
}

adapters::fields::FieldDevice field_device(const adapters::profiles::Profile& profile) {
  adapters::fields::FieldDevice device;
  device.options.profile = adapters::profiles::rehearsed_device();
  device.profile = profile;
  return device;
}

Json rehearse_drop(const adapters::profiles::Profile& profile,
                   const std::vector<adapters::profiles::Fixture>& fixtures) {
  std::vector<adapters::filedrop::DroppedFile> files;
  for (const adapters::profiles::Fixture& one : fixtures)
    files.push_back({one.name, one.bytes, "2026-11-20T08:00:00Z"});
  return outcomes_of(adapters::filedrop::read_dropped(std::move(files), field_device(profile)));
}

}  // namespace

core::Result<Json> rehearse(const adapters::profiles::Profile& profile,
                            const std::vector<adapters::profiles::Fixture>& fixtures) {
  if (profile.protocol == "folder") return rehearse_drop(profile, fixtures);
  return adapters::astm::rehearse(profile, fixtures[0].bytes);
}

core::Result<std::vector<adapters::profiles::FixtureOutcome>> rehearse_profile(
    core::Files& files, const std::string& folder) {
  return adapters::profiles::rehearse_fixtures(files, folder, rehearse);
}

}  // namespace gateway::daemon
