#include "adapters/poct1a/message_reader.h"

#include <algorithm>
#include <array>
#include <optional>

#include "adapters/mapping/character_set.h"
#include "adapters/poct1a/mapping.h"
#include "core/text.h"

namespace gateway::adapters::poct1a {
namespace {

using core::cat;
using core::Json;

constexpr std::string_view kMark = "clinic-gateway-poct1a ";
constexpr std::size_t kHeadMax = 8U << 10;
constexpr std::int64_t kOnly = -1;
constexpr std::size_t kIdentityMax = 256;        // bytes of a part
constexpr std::size_t kTogetherMax = 64U << 20;  // of a document kept for each of its services

struct Kept {
  Json hello;
  std::optional<std::size_t> service;
  std::string_view document;
};

/// `service`: kOnly where the document has no other.
std::string pack(const Json& hello, std::int64_t service, std::string_view document) {
  Json head = Json::object();
  head.set("hello", hello);
  if (service >= 0) head.set("service", service);
  return cat(kMark, head.dump(), '\n', document);
}

core::Result<Kept> unpack(std::string_view bytes) {
  const core::Error wrong(core::Code::invalid, "it is no POCT1-A message as the gateway keeps it");
  const auto end = bytes.substr(0, kHeadMax).find('\n');
  if (!bytes.starts_with(kMark) || end == bytes.npos) return wrong;
  GW_TRY(const Json head, Json::parse(bytes.substr(kMark.size(), end - kMark.size())));
  Kept kept;
  kept.hello = head["hello"];
  if (const auto service = head["service"].integer(); service && *service >= 0)
    kept.service = static_cast<std::size_t>(*service);
  kept.document = bytes.substr(end + 1);
  return kept;
}

std::shared_ptr<sync::IncomingMessage> begin_message(std::string bytes, const Poct1aDevice& device,
                                                     const std::string& peer,
                                                     const std::string& answer) {
  auto incoming = std::make_shared<sync::IncomingMessage>();
  incoming->device = device.options.profile.name;
  incoming->source = peer;
  incoming->kind = to_string(Kind::other);
  incoming->answer = answer;
  incoming->bytes = std::move(bytes);
  return incoming;
}

Kind kind_of(const Service& service) {
  const std::string& type = service.document.type();
  if (type == "EVS.R01") return Kind::events;
  if (type == "OBS.R02") return Kind::control;
  if (type != "OBS.R01") return Kind::other;
  return is_control(service) ? Kind::control : Kind::results;
}

Read read_service(const Service& service, std::string kept, const std::string& peer,
                  const std::string& answer) {
  Read read;
  read.kind = kind_of(service);
  read.incoming = begin_message(std::move(kept), service.device, peer, answer);
  read.incoming->control_id = service.document.control_id();
  read.incoming->kind = to_string(read.kind);
  if (read.kind == Kind::results) map_service(service, *read.incoming);
  return read;
}

/// The service of that number; the document itself stands for what has none.
const Json& service_of(const Document& document, std::size_t number) {
  const auto services = objects(document.root(), "SVC");
  return number < services.size() ? *services[number] : document.root();
}

std::shared_ptr<sync::IncomingMessage> read_kept(std::string bytes, const Poct1aDevice& device) {
  const auto kept = unpack(bytes);
  const auto dead = [&](const core::Error& error) {
    auto incoming = begin_message(bytes, device, "cli", "");
    incoming->dead_because = error.message();
    return incoming;
  };
  if (!kept.ok()) return dead(kept.error());
  const auto document = Document::parse(kept->document, device.options.profile.character_set);
  if (!document.ok()) return dead(document.error());
  const Json& body = service_of(*document, kept->service.value_or(0));
  return read_service({*document, body, kept->hello, device}, bytes, "cli", "").incoming;
}

}  // namespace

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::results:
      return "POCT1-A results";
    case Kind::control:
      return "POCT1-A control";
    case Kind::events:
      return "POCT1-A events";
    case Kind::other:
      return "POCT1-A";
  }
  return "";
}

bool is_kept(const Document& document) {
  constexpr std::array<std::string_view, 8> kTalk{"HEL.R01", "DST.R01", "EOT.R01", "KPA.R01",
                                                  "END.R01", "ACK.R01", "ESC.R01", "REQ.R01"};
  return std::find(kTalk.begin(), kTalk.end(), document.type()) == kTalk.end();
}

Json identity_of(const Document& hello) {
  Json identity = Json::object();
  const Json& device = object(hello.root(), "DEV");
  for (const char* field : {"DEV.device_id", "DEV.vendor_id", "DEV.model_id", "DEV.serial_id"}) {
    const std::string sent = value(device, field);
    if (!sent.empty() && sent.size() <= kIdentityMax) identity.set(field, sent);
  }
  return identity;
}

std::vector<Read> read_document(const Document& document, const std::string& bytes,
                                const Json& hello, const Poct1aDevice& device,
                                const std::string& peer, const std::string& answer) {
  const std::size_t services = objects(document.root(), "SVC").size();
  if (services > 1 && services * bytes.size() > kTogetherMax) {
    return {{Kind::other,
             unreadable(bytes, "the document has too many services", hello, device, peer, answer)}};
  }
  std::vector<Read> all;
  for (std::size_t number = 0; number < services || number == 0; ++number) {
    const std::int64_t counted = services > 1 ? static_cast<std::int64_t>(number) : kOnly;
    all.push_back(read_service({document, service_of(document, number), hello, device},
                               pack(hello, counted, bytes), peer, answer));
  }
  return all;
}

std::shared_ptr<sync::IncomingMessage> unreadable(const std::string& bytes, std::string why,
                                                  const Json& hello, const Poct1aDevice& device,
                                                  const std::string& peer,
                                                  const std::string& answer) {
  auto incoming = begin_message(pack(hello, kOnly, bytes), device, peer, answer);
  incoming->dead_because = std::move(why);
  return incoming;
}

Decoder decoder_of(const Poct1aDevice& device) {
  return {.decode = [device](std::string bytes) { return read_kept(std::move(bytes), device); },
          .text =
              [device](std::string_view bytes) {
                return mapping::decode_text(bytes, "", device.options.profile.character_set).utf8;
              }};
}

}  // namespace gateway::adapters::poct1a
