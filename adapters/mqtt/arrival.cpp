#include "adapters/mqtt/arrival.h"

#include <algorithm>

#include "adapters/fields/documents.h"
#include "adapters/mapping/fhir_values.h"
#include "core/text.h"

namespace gateway::adapters::mqtt {
namespace {

using core::cat;
using core::Json;

constexpr std::string_view kMark = "clinic-gateway-mqtt ";
constexpr std::size_t kHeadMax = 128U << 10;  // a topic has up to 65,535 bytes

/// What its parts stood for, by the site's pattern and the profile's.
Json context_of(const std::string& topic, const MqttDevice& device) {
  Json parts = device.topic.match(topic).value_or(Json::object());
  const auto named = device.device.profile.fields.topic.match(topic);
  if (named) {
    for (const auto& [name, level] : named->members()) parts.set(name, level);
  }
  return Json::object({{"topic", std::move(parts)}});
}

bool names_time(const Json& whole, const Json& context, const MqttDevice& device) {
  const profiles::FieldMap& map = device.device.profile.fields;
  const auto is_time = [&](const Json* row) {
    const std::string text = map.time.text({row, &whole, &context});
    const std::string time = fields::compact_time(text, map.date_order);
    return !mapping::fhir_time(time, device.device.options.profile.time_zone).text.empty();
  };
  if (map.time.empty()) return false;
  if (map.rows.empty()) return is_time(&whole);
  const auto rows = map.rows.find({&whole, &whole, &context});
  return !rows.empty() && std::ranges::all_of(rows, is_time);
}

}  // namespace

Arrival arrival_of(std::string topic, std::string payload, const MqttDevice& device) {
  Arrival arrival;
  const auto whole = fields::parse_document(device.device.profile.fields, payload);
  // What cannot be read is the same dead letter however often it comes.
  if (whole.ok()) arrival.names_time = names_time(*whole, context_of(topic, device), device);
  arrival.topic = std::move(topic);
  arrival.payload = std::move(payload);
  return arrival;
}

ReadArrival read_arrival(const Arrival& arrival, const MqttDevice& device) {
  ReadArrival read;
  read.message = std::make_shared<sync::IncomingMessage>();
  sync::IncomingMessage& message = *read.message;
  message.device = device.device.options.profile.name;
  message.source = cat("broker ", device.broker);
  message.kind = "MQTT";
  message.bytes = pack(arrival);
  auto whole = fields::parse_document(device.device.profile.fields, arrival.payload);
  if (!whole.ok()) {
    message.dead_because = whole.error().message();
    return read;
  }
  const fields::FieldDocument document{std::move(*whole), context_of(arrival.topic, device),
                                       arrival.came_at, ""};
  read.crossings = fields::map_fields(document, device.device, message);
  if (!message.dead_because.empty()) read.crossings.clear();
  return read;
}

std::string pack(const Arrival& arrival) {
  Json head = Json::object({{"topic", arrival.topic}});
  if (!arrival.names_time) {
    head.set("came_at", arrival.came_at);
    if (arrival.packet_id != 0) head.set("packet", arrival.packet_id);
  }
  return cat(kMark, head.dump(), '\n', arrival.payload);
}

core::Result<Arrival> unpack(std::string_view bytes) {
  const core::Error wrong(core::Code::invalid, "it is no MQTT message as the gateway keeps it");
  const auto end = bytes.substr(0, kHeadMax).find('\n');
  if (!bytes.starts_with(kMark) || end == bytes.npos) return wrong;
  GW_TRY(const Json head, Json::parse(bytes.substr(kMark.size(), end - kMark.size())));
  Arrival arrival;
  arrival.topic = head["topic"].text();
  arrival.payload = bytes.substr(end + 1);
  arrival.came_at = head["came_at"].text();
  arrival.packet_id = static_cast<int>(head["packet"].integer().value_or(0));
  arrival.names_time = arrival.came_at.empty();
  return arrival;
}

}  // namespace gateway::adapters::mqtt
