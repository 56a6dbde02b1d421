#include "sync/told_orders.h"

namespace gateway::sync {

using crypto::Connection;

core::Result<ToldOrder> read_told_order(Connection& connection, const std::string& uplink,
                                        const std::string& service_request) {
  ToldOrder told;
  GW_TRY(auto rows,
         connection.query("SELECT messages, taken_control, taken_number, taken_patient, taken_text,"
                          " open_control, open_control_id, open_number, open_patient, open_text"
                          " FROM told_order WHERE uplink = ? AND service_request = ?",
                          uplink, service_request));
  GW_TRY(const bool found, rows.next());
  if (!found) return told;
  const auto text = [&](int column) { return std::string(rows.text(column)); };
  told.messages = rows.integer(0);
  told.taken = {text(1), "", text(2), text(3), text(4)};
  told.open = {text(5), text(6), text(7), text(8), text(9)};
  return told;
}

core::Status note_open(Connection& connection, const std::string& uplink,
                       const std::string& service_request, const ToldMessage& message) {
  return connection.run(
      "INSERT INTO told_order (uplink, service_request, messages, open_control, open_control_id,"
      " open_number, open_patient, open_text) VALUES (?, ?, 1, ?, ?, ?, ?, ?)"
      " ON CONFLICT (uplink, service_request) DO UPDATE SET messages = messages + 1,"
      " open_control = excluded.open_control, open_control_id = excluded.open_control_id,"
      " open_number = excluded.open_number, open_patient = excluded.open_patient,"
      " open_text = excluded.open_text",
      uplink, service_request, message.control, message.control_id, message.number, message.patient,
      message.text);
}

core::Status note_answered(Connection& connection, const std::string& uplink,
                           const std::string& service_request, bool was_taken) {
  if (was_taken) {
    GW_CHECK(connection.run(
        "UPDATE told_order SET taken_control = open_control, taken_number = open_number,"
        " taken_patient = open_patient, taken_text = open_text"
        " WHERE uplink = ? AND service_request = ? AND open_control <> ''",
        uplink, service_request));
  }
  return connection.run(
      "UPDATE told_order SET open_control = '', open_control_id = '', open_number = '',"
      " open_patient = '', open_text = '' WHERE uplink = ? AND service_request = ?",
      uplink, service_request);
}

}  // namespace gateway::sync
