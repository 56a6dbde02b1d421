#include "daemon/device_rehearsal.h"

#include "adapters/astm/rehearsal.h"
#include "adapters/filedrop/dropped.h"
#include "adapters/hl7/message_reader.h"
#include "adapters/hl7/mllp_framer.h"
#include "adapters/mqtt/arrival.h"
#include "adapters/poct1a/rehearsal.h"
#include "adapters/thirdparty/handed_over.h"
#include "adapters/thirdparty/line_framer.h"
#include "core/clock.h"
#include "core/text.h"
#include "daemon/device_decoders.h"

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
  std::vector<adapters::DroppedFile> files;
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

/// Messages of an HL7 device with that profile, or without one (null); those of a monitor are
/// thinned out by its sampling.
Json read_hl7(const std::vector<std::string>& sent, const adapters::mapping::DeviceProfile& site,
              const adapters::profiles::Profile* profile) {
  adapters::hl7::VitalsSampler sampler(profile == nullptr ? adapters::profiles::Sampling()
                                                          : profile->sampling);
  Json messages = Json::array();
  for (const std::string& one : sent) {
    const auto read =
        adapters::hl7::read_message(one, site, "fixture", core::system_clock(), profile);
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

/// A fixture is one message or several.
Json rehearse_hl7(const adapters::profiles::Profile& profile, const std::string& fixture) {
  return read_hl7(adapters::hl7::cut_frame(fixture), adapters::profiles::rehearsed_device(),
                  &profile);
}

/// What passes the framer.
std::vector<std::string> received_hl7(const std::string& heard) {
  const auto framer = adapters::hl7::make_mllp_framer(heard.size());
  std::vector<adapters::frame::FrameEvent> events;
  framer->feed(heard, {}, events);
  framer->tick(core::Monotonic() + std::chrono::seconds(1), events);
  std::vector<std::string> messages;
  for (adapters::frame::FrameEvent& event : events) {
    for (std::string& one : adapters::hl7::cut_frame(std::move(event.bytes)))
      messages.push_back(std::move(one));
  }
  return messages;
}

/// What a third-party adapter said behind its hello.
Json replay_lines(const adapters::profiles::Profile& profile,
                  const adapters::mapping::DeviceProfile& site, const std::string& heard) {
  namespace thirdparty = adapters::thirdparty;
  const adapters::FileDecoders decoders = file_decoders(core::system_clock());
  auto device = field_device(profile);
  device.options.profile = site;
  const auto framer = thirdparty::make_line_framer(heard.size(), heard.size());
  std::vector<adapters::frame::FrameEvent> events;
  framer->feed(heard, {}, events);
  Json outcomes = Json::array();
  const auto refuse = [&outcomes](const core::Error& why) {
    outcomes.add(Json::object({{"refused", why.message()}}));
  };
  for (const adapters::frame::FrameEvent& event : events) {
    auto line = thirdparty::read_line(event.bytes);
    if (!line.request.ok()) {
      refuse(line.request.error());
      continue;
    }
    if (line.request->type == thirdparty::Request::Type::hello) continue;
    const auto read = thirdparty::messages_of(std::move(*line.request), device, decoders);
    if (!read.ok()) {
      refuse(read.error());
      continue;
    }
    for (const auto& message : *read) outcomes.add(adapters::profiles::outcome_of(*message));
  }
  return Json::object({{"messages", std::move(outcomes)}});
}

core::Result<Json> rehearse(const adapters::profiles::Profile& profile,
                            const std::vector<adapters::profiles::Fixture>& fixtures) {
  if (profile.protocol == "folder" || profile.protocol == "socket")
    return rehearse_drop(profile, fixtures);
  if (profile.protocol == "hl7") return rehearse_hl7(profile, fixtures[0].bytes);
  if (profile.protocol == "mqtt") return rehearse_mqtt(profile, fixtures[0].bytes);
  if (profile.protocol == "poct1a") return adapters::poct1a::rehearse(profile, fixtures[0].bytes);
  return adapters::astm::rehearse(profile, fixtures[0].bytes);
}

core::Result<std::vector<adapters::profiles::FixtureOutcome>> rehearse_profile(
    core::Files& files, const std::string& folder) {
  return adapters::profiles::rehearse_fixtures(files, folder, rehearse);
}

core::Result<Json> replay(const adapters::profiles::Profile& profile,
                          const adapters::mapping::DeviceProfile& site, const std::string& heard) {
  if (profile.protocol == "astm") return adapters::astm::rehearse(profile, heard, site);
  if (profile.protocol == "poct1a") return adapters::poct1a::rehearse(profile, heard, site);
  if (profile.protocol == "socket") return replay_lines(profile, site, heard);
  const bool is_known = profile.protocol == "hl7";
  return read_hl7(received_hl7(heard), site, is_known ? &profile : nullptr);
}

}  // namespace gateway::daemon
