#include "daemon/device_rehearsal.h"

#include "adapters/astm/rehearsal.h"
#include "adapters/filedrop/dropped.h"
#include "adapters/hl7/message_reader.h"
#include "adapters/mqtt/arrival.h"
#include "core/clock.h"
#include "core/text.h"

namespace gateway::daemon {
namespace {

using core::Json;

constexpr char kRehearsedAt[] = "2026-11-20T08:00:00Z";

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
    files.push_back({one.name, one.bytes, kRehearsedAt});
  return outcomes_of(adapters::filedrop::read_dropped(std::move(files), field_device(profile)));
}

}  // namespace

/// A fixture is the topic on a line of its own, and the payload.
Json rehearse_mqtt(const adapters::profiles::Profile& profile, std::string_view fixture) {
  const auto end = fixture.find('\n');
  const adapters::mqtt::MqttDevice device{field_device(profile), "rehearsal", profile.fields.topic};
  const std::string topic(core::trim(fixture.substr(0, end)));
  if (!device.topic.match(topic)) return Json::object({{"messages", Json::array()}});
  auto arrival = adapters::mqtt::arrival_of(
      topic, std::string(end == fixture.npos ? "" : fixture.substr(end + 1)), device);
  arrival.came_at = kRehearsedAt;
  const auto read = adapters::mqtt::read_arrival(arrival, device);
  Json outcome = outcomes_of({read.message});
  Json limits = Json::array();
  for (const auto& crossing : read.crossings) {
    if (crossing.is_beyond) limits.add(crossing.text);
  }
  outcome.set("limits", std::move(limits));
  return outcome;
}

/// A fixture is one message or several, which the sampling thins out.
Json rehearse_hl7(const adapters::profiles::Profile& profile, const std::string& fixture) {
  adapters::hl7::VitalsSampler sampler(profile.sampling);
  Json messages = Json::array();
  for (std::string& one : adapters::hl7::cut_frame(fixture)) {
    const auto read =
        adapters::hl7::read_message(std::move(one), adapters::profiles::rehearsed_device(),
                                    "fixture", core::system_clock(), &profile);
    if (read.vitals) {
      const auto due = sampler.due(*read.vitals);
      sampler.note_sent(*read.vitals, due);
      if (!adapters::hl7::keep_due(*read.incoming, *read.vitals, due)) {
        messages.add(
            Json::object({{"kind", "sample"}, {"values", static_cast<std::uint64_t>(due.size())}}));
        continue;
      }
    }
    messages.add(adapters::profiles::outcome_of(*read.incoming));
  }
  return Json::object({{"messages", std::move(messages)}});
}

core::Result<Json> rehearse(const adapters::profiles::Profile& profile,
                            const std::vector<adapters::profiles::Fixture>& fixtures) {
  if (profile.protocol == "folder") return rehearse_drop(profile, fixtures);
  if (profile.protocol == "hl7") return rehearse_hl7(profile, fixtures[0].bytes);
  if (profile.protocol == "mqtt") return rehearse_mqtt(profile, fixtures[0].bytes);
  return adapters::astm::rehearse(profile, fixtures[0].bytes);
}

core::Result<std::vector<adapters::profiles::FixtureOutcome>> rehearse_profile(
    core::Files& files, const std::string& folder) {
  return adapters::profiles::rehearse_fixtures(files, folder, rehearse);
}

}  // namespace gateway::daemon
