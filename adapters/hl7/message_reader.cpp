#include "adapters/hl7/message_reader.h"

#include <algorithm>

#include "adapters/hl7/acknowledgment.h"
#include "adapters/hl7/character_set.h"
#include "core/text.h"

namespace gateway::adapters::hl7 {

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

using Split = std::vector<std::string> (*)(std::string_view text);

/// The bytes themselves where they are one.
std::vector<std::string> cut(std::string bytes, Split split) {
  const bool has_mark = bytes.starts_with(kByteOrderMark);
  std::vector<std::string> parts =
      split(std::string_view(bytes).substr(has_mark ? kByteOrderMark.size() : 0));
  if (parts.size() <= 1) return {std::move(bytes)};
  if (has_mark) {
    for (std::string& one : parts) one.insert(0, kByteOrderMark);
  }
  return parts;
}

/// An acknowledgment of another sender. Two sides that answer each other's answers never end. One
/// that brings results is more than that, and a person has to hear of it.
bool is_answer(const Message& message) {
  return message.header().field(9).first() == "ACK" ||
         (message.find("MSA") != nullptr && message.find("OBX") == nullptr &&
          !is_supported(message.type()));
}

/// Counted: of a training or a debugging (MSH-11), and taken like any other, for many senders leave
/// it so.
void count_processing(const Message& message, sync::IncomingMessage& incoming) {
  const std::string processing = core::to_lower_ascii(message.header().field(11).first());
  if (processing == "t")
    incoming.add(sync::MappingGap{"code", "HL70103", "T", "marked as of a training"});
  if (processing == "d")
    incoming.add(sync::MappingGap{"code", "HL70103", "D", "marked as of a debugging"});
}

}  // namespace

std::vector<std::string> cut_messages(std::string bytes) {
  const bool is_utf16 = bytes.starts_with("\xFF\xFE") || bytes.starts_with("\xFE\xFF");
  // Its line ends are two bytes long: kept as UTF-8 with a mark that says so.
  if (is_utf16) bytes = core::cat(kByteOrderMark, decode_text(bytes, "").utf8);
  return cut(std::move(bytes), split_messages);
}

std::vector<std::string> cut_patients(std::string message) {
  return cut(std::move(message), split_patients);
}

std::vector<std::string> cut_frame(std::string bytes) {
  std::vector<std::string> all;
  for (std::string& message : cut_messages(std::move(bytes))) {
    for (std::string& part : cut_patients(std::move(message))) all.push_back(std::move(part));
  }
  return all;
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
                  const core::Clock& clock, const profiles::Profile* profile) {
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
  if (is_answer(*read.message)) {
    incoming.add(sync::MappingGap{"segment", "", "MSA", "an answer nobody waits for"});
    return read;
  }
  read.vitals = map_message(*read.message, device, incoming, profile);
  read.is_control = incoming.kind.ends_with(kControl);
  count_processing(*read.message, incoming);
  if (text.is_damaged) incoming.gaps.push_back({"text", "", "not of its character set", ""});
  if (text.is_unknown_set) incoming.gaps.push_back({"text", "", "unknown character set", ""});
  if (is_work_query(incoming.kind)) {
    read.query = read_work_query(*read.message, device.name);
    incoming.dead_because = read.query->fault.why;
    return read;
  }
  const Verdict verdict = incoming.dead_because.empty()         ? Verdict::accepted
                          : !is_supported(read.message->type()) ? Verdict::rejected
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
                                    device.known_model())
                    .incoming;
              },
          .text =
              [device](std::string_view bytes) {
                return decode_text(bytes, device.profile.character_set).utf8;
              }};
}

}  // namespace gateway::adapters::hl7
