#include "adapters/astm/rehearsal.h"

#include "adapters/astm/link.h"
#include "adapters/astm/message_reader.h"
#include "core/text.h"

namespace gateway::adapters::astm {
namespace {

using core::cat;
using core::Json;
using frame::FrameEvent;

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

}  // namespace

core::Result<Json> rehearse(profiles::Profile profile, std::string_view fixture,
                            const mapping::DeviceProfile& site) {
  AstmDevice device;
  device.options.profile = site;
  device.profile = std::move(profile);
  const std::string bytes =
      is_capture(fixture) ? std::string(fixture) : framed(fixture, device.profile);
  const std::string text = received(bytes, device.profile);
  const std::size_t end = whole_messages(text);
  if (end == 0)
    return core::Error(core::Code::invalid,
                       "no whole message: a check character is wrong, or the L record is missing");
  Json messages = Json::array();
  for (std::string& one : split_messages(std::string_view(text).substr(0, end)))
    messages.add(profiles::outcome_of(*read_message(std::move(one), device, "fixture").incoming));
  return Json::object({{"messages", std::move(messages)}});
}

}  // namespace gateway::adapters::astm
