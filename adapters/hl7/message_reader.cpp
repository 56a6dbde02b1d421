#include "adapters/hl7/message_reader.h"

#include <algorithm>

#include "adapters/hl7/acknowledgment.h"
#include "adapters/hl7/character_set.h"
#include "core/text.h"

namespace gateway::adapters::hl7 {

std::vector<std::string> cut_frame(std::string bytes) {
  const bool is_utf16 = bytes.starts_with("\xFF\xFE") || bytes.starts_with("\xFE\xFF");
  // Its line ends are two bytes long: kept as UTF-8 with a mark that says so.
  if (is_utf16) bytes = "\xEF\xBB\xBF" + decode_text(bytes, "").utf8;
  const bool has_mark = bytes.starts_with("\xEF\xBB\xBF");
  std::vector<std::string> messages =
      split_messages(has_mark ? std::string_view(bytes).substr(3) : std::string_view(bytes));
  if (messages.size() <= 1) return {std::move(bytes)};
  if (has_mark) {
    for (std::string& one : messages) one.insert(0, "\xEF\xBB\xBF");
  }
  return messages;
}

Read broken_message(std::string bytes, const DeviceProfile& device, const std::string& peer,
                    const std::string& reason, const core::Clock& clock) {
  Read read;
  read.incoming = std::make_shared<sync::IncomingMessage>();
  read.incoming->device = device.name;
  read.incoming->source = peer;
  read.incoming->bytes = std::move(bytes);
  read.incoming->dead_because = reason;
  read.incoming->answer = acknowledge(nullptr, Verdict::rejected, reason, clock);
  return read;
}

Read read_message(std::string bytes, const DeviceProfile& device, const std::string& peer,
                  const core::Clock& clock, const profiles::Profile* monitor) {
  const DecodedText text = decode_text(bytes, device.character_set);
  std::vector<std::string> messages = split_messages(text.utf8);
  if (messages.empty())
    return broken_message(std::move(bytes), device, peer, "no MSH segment", clock);
  auto parsed = Message::parse(std::move(messages.front()));
  if (!parsed.ok())
    return broken_message(std::move(bytes), device, peer, parsed.error().message(), clock);

  Read read;
  read.message = std::move(*parsed);
  read.incoming = std::make_shared<sync::IncomingMessage>();
  sync::IncomingMessage& incoming = *read.incoming;
  incoming.device = device.name;
  incoming.source = peer;
  incoming.bytes = std::move(bytes);
  incoming.control_id = read.message->header().field(10).text();
  incoming.kind = read.message->type();
  read.vitals = map_message(*read.message, device, incoming, monitor);
  if (text.is_damaged) incoming.gaps.push_back({"text", "", "not of its character set", ""});
  if (text.is_unknown_set) incoming.gaps.push_back({"text", "", "unknown character set", ""});
  const Verdict verdict = incoming.dead_because.empty()  ? Verdict::accepted
                          : !is_supported(incoming.kind) ? Verdict::rejected
                                                         : Verdict::in_error;
  incoming.answer = acknowledge(&read.message->header(), verdict, incoming.dead_because, clock);
  return read;
}

bool keep_due(sync::IncomingMessage& message, const std::vector<Vital>& vitals,
              const std::vector<bool>& due) {
  // From behind, so that the places before stay.
  for (std::size_t i = vitals.size(); i-- > 0;) {
    if (!due[i] && message.dead_because.empty())
      message.drafts.erase(message.drafts.begin() + static_cast<std::ptrdiff_t>(vitals[i].draft));
  }
  return std::find(due.begin(), due.end(), true) != due.end();
}

Decoder decoder_of(const Hl7Device& device, const core::Clock& clock) {
  return {.decode =
              [device, &clock](std::string bytes) {
                return read_message(std::move(bytes), device.profile, "cli", clock,
                                    device.monitor ? &*device.monitor : nullptr)
                    .incoming;
              },
          .text =
              [device](std::string_view bytes) {
                return decode_text(bytes, device.profile.character_set).utf8;
              }};
}

}  // namespace gateway::adapters::hl7
