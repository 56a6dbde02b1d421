#include "adapters/astm/message_reader.h"

#include "adapters/astm/link.h"
#include "adapters/mapping/character_set.h"

namespace gateway::adapters::astm {
namespace {

std::shared_ptr<sync::IncomingMessage> begin_message(std::string bytes, const AstmDevice& device,
                                                     const std::string& peer) {
  auto incoming = std::make_shared<sync::IncomingMessage>();
  incoming->device = device.options.profile.name;
  incoming->source = peer;
  incoming->kind = to_string(Kind::other);
  incoming->answer = std::string(1, kAck);
  incoming->bytes = std::move(bytes);
  return incoming;
}

}  // namespace

Decoder decoder_of(const AstmDevice& device) {
  return {.decode =
              [device](std::string bytes) {
                return read_message(std::move(bytes), device, "cli").incoming;
              },
          .text =
              [device](std::string_view bytes) {
                return mapping::decode_text(bytes, "", device.options.profile.character_set).utf8;
              }};
}

std::shared_ptr<sync::IncomingMessage> unfinished_message(std::string bytes,
                                                          const AstmDevice& device,
                                                          const std::string& peer) {
  auto incoming = begin_message(std::move(bytes), device, peer);
  incoming->dead_because = "the device has not sent the rest of this message";
  return incoming;
}

Read read_message(std::string bytes, const AstmDevice& device, const std::string& peer) {
  const auto text = mapping::decode_text(bytes, "", device.options.profile.character_set);
  Read read;
  read.incoming = begin_message(std::move(bytes), device, peer);
  sync::IncomingMessage& incoming = *read.incoming;
  auto parsed = Message::parse(text.utf8);
  if (!parsed.ok()) {
    incoming.dead_because = parsed.error().message();
    return read;
  }
  read.message = std::move(*parsed);
  read.kind = kind_of(*read.message, device.profile);
  incoming.control_id = read.message->header().field(3).text();
  incoming.kind = to_string(read.kind);
  const bool is_both = read.kind == Kind::query && holds_results(*read.message, device.profile);
  if (read.kind == Kind::results || is_both) map_results(*read.message, device, incoming);
  if (text.is_damaged) incoming.gaps.push_back({"text", "", "not of its character set", ""});
  return read;
}

}  // namespace gateway::adapters::astm
