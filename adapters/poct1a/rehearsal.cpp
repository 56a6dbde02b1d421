#include "adapters/poct1a/rehearsal.h"

#include "adapters/poct1a/document_framer.h"
#include "adapters/poct1a/message_reader.h"

namespace gateway::adapters::poct1a {
namespace {

using core::Json;
using frame::FrameEvent;

}  // namespace

core::Result<Json> rehearse(profiles::Profile profile, std::string_view fixture,
                            const mapping::DeviceProfile& site) {
  Poct1aDevice device;
  device.options.profile = site;
  device.profile = std::move(profile);
  const auto framer = DocumentFramer::create(device.options.message_bytes_max);
  std::vector<FrameEvent> events;
  framer->feed(fixture, {}, events);
  Json hello = Json::object();
  Json messages = Json::array();
  for (const FrameEvent& event : events) {
    const auto document = Document::parse(event.bytes, device.options.profile.character_set);
    if (event.kind != FrameEvent::Kind::message || !document.ok()) {
      const std::string why =
          document.ok() ? "the document does not end" : document.error().message();
      messages.add(
          profiles::outcome_of(*unreadable(event.bytes, why, hello, device, "fixture", "")));
      continue;
    }
    if (document->type() == "HEL.R01") hello = identity_of(*document);
    if (!is_kept(*document)) continue;
    for (const Read& read : read_document(*document, event.bytes, hello, device, "fixture", ""))
      messages.add(profiles::outcome_of(*read.incoming));
  }
  if (messages.size() == 0)
    return core::Error(core::Code::invalid, "no document that becomes a message is in it");
  return Json::object({{"messages", std::move(messages)}});
}

}  // namespace gateway::adapters::poct1a
