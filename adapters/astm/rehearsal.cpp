#include "adapters/astm/rehearsal.h"

#include <algorithm>

#include "adapters/astm/link.h"
#include "adapters/astm/message_reader.h"
#include "adapters/profiles/difference.h"
#include "core/text.h"

namespace gateway::adapters::astm {
namespace {

using core::cat;
using core::Json;
using frame::FrameEvent;

constexpr std::size_t kFixtureBytesMax = 4U << 20;

bool is_capture(std::string_view fixture) { return fixture.find(kStx) != std::string_view::npos; }

/// Records as a device would send them.
std::string framed(std::string_view records, const profiles::Profile& profile) {
  std::string message;
  while (!records.empty()) {
    const auto end = records.find_first_of("\r\n");
    const std::string_view line = records.substr(0, end);
    if (!line.empty()) message += cat(line, '\r');
    records.remove_prefix(end == std::string_view::npos ? records.size() : end + 1);
  }
  std::string bytes;
  for (const std::string& frame : make_frames(message, {profile.checksum, profile.frame_bytes_max}))
    bytes += frame;
  return bytes;
}

/// What passes the link layer.
std::string received(std::string_view bytes, const profiles::Profile& profile) {
  const auto link = Link::create({profile.checksum, profile.frame_bytes_max});
  std::vector<FrameEvent> events;
  link->feed(bytes, core::Monotonic(), events);
  link->tick(core::Monotonic() + std::chrono::seconds(1), events);
  std::string text;
  for (const FrameEvent& event : events) {
    if (event.kind == FrameEvent::Kind::part) text += event.bytes;
  }
  return text;
}

Json ids_of(const std::vector<sync::PatientId>& ids) {
  Json list = Json::array();
  for (const sync::PatientId& id : ids)
    list.add(Json::object({{"system", id.system}, {"value", id.value}}));
  return list;
}

Json outcome_of(const sync::IncomingMessage& message) {
  Json outcome = Json::object({{"kind", message.kind}});
  if (!message.dead_because.empty()) outcome.set("dead_because", message.dead_because);
  outcome.set("ids", ids_of(message.patient.ids));
  outcome.set("carriers", ids_of(message.patient.carriers));
  if (!message.patient.draft.body.is_null()) outcome.set("patient", message.patient.draft.body);
  Json resources = Json::array();
  for (const sync::Draft& draft : message.drafts) {
    Json body = draft.body;
    resources.add(std::move(body));
  }
  outcome.set("resources", std::move(resources));
  Json gaps = Json::array();
  for (const sync::MappingGap& gap : message.gaps)
    gaps.add(cat(gap.what, ' ', gap.code, gap.label.empty() ? "" : " ", gap.label));
  outcome.set("gaps", std::move(gaps));
  return outcome;
}

core::Result<FixtureOutcome> rehearse_one(core::Files& files, const std::string& folder,
                                          const std::string& name,
                                          const profiles::Profile& profile) {
  FixtureOutcome outcome{name, {}};
  GW_TRY(const std::string fixture,
         core::read_whole_file(files, cat(folder, "/fixtures/", name), kFixtureBytesMax));
  const std::string file = cat(folder, "/expected/", name.substr(0, name.rfind('.')), ".json");
  const auto text = core::read_whole_file(files, file, kFixtureBytesMax);
  const auto expected = text.ok() ? Json::parse(*text) : core::Result<Json>(text.error());
  if (!expected.ok()) {
    outcome.differences.push_back(cat(file, ": ", expected.error().message()));
    return outcome;
  }
  const auto actual = rehearse(profile, fixture);
  if (!actual.ok()) {
    outcome.differences.push_back(actual.error().message());
    return outcome;
  }
  outcome.differences = profiles::difference(*expected, *actual);
  return outcome;
}

}  // namespace

core::Result<Json> rehearse(profiles::Profile profile, std::string_view fixture) {
  AstmDevice device;
  device.options.profile.name = "device";
  device.options.profile.time_zone = "Africa/Blantyre";
  device.options.profile.patient_id_issuer = "urn:example:patients";
  device.options.profile.specimen_id_issuer = "urn:example:specimens";
  device.profile = std::move(profile);
  device.profile.revision = "(revision)";
  const std::string bytes =
      is_capture(fixture) ? std::string(fixture) : framed(fixture, device.profile);
  const std::string text = received(bytes, device.profile);
  const std::size_t end = whole_messages(text);
  if (end == 0)
    return core::Error(core::Code::invalid,
                       "no whole message: a check character is wrong, or the L record is missing");
  Json messages = Json::array();
  for (std::string& one : split_messages(std::string_view(text).substr(0, end)))
    messages.add(outcome_of(*read_message(std::move(one), device, "fixture").incoming));
  return Json::object({{"messages", std::move(messages)}});
}

core::Result<std::vector<FixtureOutcome>> rehearse_fixtures(core::Files& files,
                                                            const std::string& folder) {
  GW_TRY(const profiles::Profile profile, profiles::load_profile(files, folder));
  GW_TRY(std::vector<std::string> names, files.list(folder + "/fixtures"));
  std::sort(names.begin(), names.end());
  std::vector<FixtureOutcome> outcomes;
  for (const std::string& name : names) {
    GW_TRY(FixtureOutcome one, rehearse_one(files, folder, name, profile));
    outcomes.push_back(std::move(one));
  }
  return outcomes;
}

}  // namespace gateway::adapters::astm
