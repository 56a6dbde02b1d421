#include "sync/captures.h"

#include "core/text.h"

namespace gateway::sync {
namespace {

using core::cat;
using core::Json;
using crypto::Connection;

constexpr std::string_view kKind = "capture";
// What control ids of recordings begin with; the moment behind it makes each one of its own.
constexpr std::string_view kId = "clinic-gateway-capture ";
constexpr std::string_view kBehindIds = "clinic-gateway-capture!";

}  // namespace

IncomingMessage captured_message(std::string device, std::string recording, core::Wall now) {
  IncomingMessage message;
  message.device = std::move(device);
  message.control_id = cat(kId, core::to_instant(now));
  message.kind = kKind;
  message.bytes = std::move(recording);
  message.source = "local";
  return message;
}

core::Result<Capture> read_capture(Connection& connection, std::int64_t number) {
  GW_TRY(auto rows, connection.query("SELECT m.device, m.received_at, r.bytes FROM message m"
                                     " JOIN message_raw r USING (number)"
                                     " WHERE m.number = ? AND m.kind = ?",
                                     number, kKind));
  GW_TRY(const bool found, rows.next());
  if (!found) {
    return core::Error(core::Code::not_found, cat("there is no recording ", number,
                                                  "; see clinic-gateway devices captures"));
  }
  const auto bytes = rows.blob(2);
  return Capture{number, std::string(rows.text(0)), std::string(rows.text(1)),
                 std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size())};
}

core::Result<Json> captures_report(Connection& connection, const std::string& device) {
  GW_TRY(auto rows, connection.query("SELECT m.number, m.received_at, length(r.bytes)"
                                     " FROM message m JOIN message_raw r USING (number)"
                                     " WHERE m.device = ? AND m.control_id >= ?"
                                     " AND m.control_id < ? ORDER BY m.number DESC LIMIT 100",
                                     device, kId, kBehindIds));
  Json list = Json::array();
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return list;
    list.add(Json::object({{"number", rows.integer(0)},
                           {"device", device},
                           {"received_at", rows.text(1)},
                           {"bytes", rows.integer(2)}}));
  }
}

}  // namespace gateway::sync
