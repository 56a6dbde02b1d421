#include "sync/dicom_callers.h"

#include "core/text.h"

namespace gateway::sync {
namespace {

using core::Code;
using core::Error;
using core::Json;
using crypto::Connection;

core::Result<std::int64_t> changed(Connection& connection, const std::string& ae_title) {
  const std::int64_t count = connection.changes();
  if (count > 0) return count;
  return Error(Code::not_found, core::cat("no caller \"", ae_title,
                                          "\" was recorded like that; see "
                                          "clinic-gateway peers list"));
}

}  // namespace

core::Result<KnownCaller> look_up_caller(Connection& connection, const DicomCaller& caller) {
  GW_TRY(auto rows, connection.query("SELECT state, last_at FROM dicom_caller"
                                     " WHERE ae_title = ? AND address = ? AND encrypted = ?",
                                     caller.ae_title, caller.address, caller.is_encrypted));
  GW_TRY(const bool found, rows.next());
  if (!found) return KnownCaller{};
  return KnownCaller{rows.text(0) == "approved" ? CallerState::approved : CallerState::waiting,
                     std::string(rows.text(1))};
}

core::Status note_caller(Connection& connection, const DicomCaller& caller,
                         const std::string& now_instant) {
  GW_CHECK(connection.run(
      "INSERT INTO dicom_caller (ae_title, address, encrypted, state, called_ae_title, first_at,"
      " last_at) VALUES (?1, ?2, ?3, 'waiting', ?4, ?5, ?5)"
      " ON CONFLICT DO UPDATE SET last_at = ?5, called_ae_title = ?4",
      caller.ae_title, caller.address, caller.is_encrypted, caller.called_ae_title, now_instant));
  return connection.run(
      "DELETE FROM dicom_caller WHERE (ae_title, address, encrypted) IN"
      " (SELECT ae_title, address, encrypted FROM dicom_caller WHERE state = 'waiting'"
      " ORDER BY last_at DESC LIMIT -1 OFFSET ?)",
      kWaitingCallersMax);
}

core::Result<Json> callers_report(Connection& connection) {
  GW_TRY(auto rows,
         connection.query("SELECT ae_title, address, encrypted, state, called_ae_title, first_at,"
                          " last_at FROM dicom_caller ORDER BY state DESC, ae_title, address"));
  Json list = Json::array();
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return list;
    list.add(Json::object({{"ae_title", rows.text(0)},
                           {"address", rows.text(1)},
                           {"encrypted", rows.integer(2) != 0},
                           {"state", rows.text(3)},
                           {"called_ae_title", rows.text(4)},
                           {"first_at", rows.text(5)},
                           {"last_at", rows.text(6)}}));
  }
}

core::Result<std::int64_t> approve_callers(Connection& connection, const std::string& ae_title,
                                           const std::string& address) {
  GW_CHECK(
      connection.run("UPDATE dicom_caller SET state = 'approved'"
                     " WHERE ae_title = ?1 AND (?2 = '' OR address = ?2)",
                     ae_title, address));
  return changed(connection, ae_title);
}

core::Result<std::int64_t> remove_callers(Connection& connection, const std::string& ae_title,
                                          const std::string& address) {
  GW_CHECK(
      connection.run("DELETE FROM dicom_caller WHERE ae_title = ?1 AND (?2 = '' OR address = ?2)",
                     ae_title, address));
  return changed(connection, ae_title);
}

}  // namespace gateway::sync
