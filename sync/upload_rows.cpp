#include "sync/upload_rows.h"

#include "sync/shredding.h"

namespace gateway::sync {
namespace {

using crypto::Connection;

core::Result<std::vector<std::string>> texts(Connection& connection, std::string_view sql,
                                             std::string_view value) {
  GW_TRY(auto rows, connection.query(sql, value));
  std::vector<std::string> found;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return found;
    found.emplace_back(rows.text(0));
  }
}

core::Status doom_parts(Connection& connection, const std::string& id) {
  GW_TRY(const auto objects, parts_of(connection, id));
  for (const std::string& object : objects) GW_CHECK(doom_object(connection, object));
  return connection.run("DELETE FROM upload_part WHERE upload = ?", id);
}

}  // namespace

core::Status insert_upload(Connection& connection, const Upload& upload) {
  return connection.run(
      "INSERT INTO upload (id, client, length, received, metadata, concat, expires_at)"
      " VALUES (?, ?, ?, ?, ?, ?, ?)",
      upload.id, upload.client, upload.length, upload.received, upload.metadata, upload.concat,
      upload.expires_at);
}

core::Result<std::optional<Upload>> read_upload(Connection& connection, const std::string& id) {
  GW_TRY(auto rows, connection.query("SELECT client, length, received, metadata, concat, stored,"
                                     " joined_into, expires_at FROM upload WHERE id = ?",
                                     id));
  GW_TRY(const bool found, rows.next());
  if (!found) return std::optional<Upload>();
  Upload upload{.id = id,
                .client = std::string(rows.text(0)),
                .length = static_cast<std::uint64_t>(rows.integer(1)),
                .received = static_cast<std::uint64_t>(rows.integer(2)),
                .metadata = std::string(rows.text(3)),
                .concat = std::string(rows.text(4)),
                .stored = rows.integer(5) != 0,
                .joined_into = std::string(rows.text(6)),
                .expires_at = std::string(rows.text(7))};
  return std::optional(std::move(upload));
}

core::Status add_part(Connection& connection, const std::string& id, std::uint64_t begin,
                      const std::string& object, std::uint64_t bytes,
                      const std::string& expires_at) {
  GW_CHECK(
      connection.run("UPDATE upload SET received = received + ?, expires_at = ?"
                     " WHERE id = ? AND received = ?",
                     bytes, expires_at, id, begin));
  if (connection.changes() == 0)
    return core::Error(core::Code::refused, "the upload does not stand there any more");
  return connection.run("INSERT INTO upload_part (upload, begin, object_id) VALUES (?, ?, ?)", id,
                        begin, object);
}

core::Result<std::vector<std::string>> parts_of(Connection& connection, const std::string& id) {
  return texts(connection, "SELECT object_id FROM upload_part WHERE upload = ? ORDER BY begin", id);
}

core::Status join_parts(Connection& connection, const std::string& id, const std::string& into,
                        std::uint64_t begin) {
  GW_CHECK(connection.run("UPDATE upload_part SET upload = ?, begin = begin + ? WHERE upload = ?",
                          into, begin, id));
  return connection.run("UPDATE upload SET joined_into = ? WHERE id = ?", into, id);
}

core::Status end_upload(Connection& connection, const std::string& id) {
  GW_CHECK(doom_parts(connection, id));
  return connection.run("UPDATE upload SET stored = 1 WHERE id = ?", id);
}

core::Status drop_upload(Connection& connection, const std::string& id) {
  GW_CHECK(doom_parts(connection, id));
  return connection.run("DELETE FROM upload WHERE id = ?1 OR joined_into = ?1", id);
}

core::Status expire_uploads(Connection& connection, const std::string& now) {
  GW_TRY(const auto expired,
         texts(connection, "SELECT id FROM upload WHERE expires_at < ? LIMIT 64", now));
  for (const std::string& id : expired) GW_CHECK(drop_upload(connection, id));
  return {};
}

core::Status forget_uploads(Connection& connection) {
  GW_CHECK(connection.run("DELETE FROM upload_part"));
  return connection.run("DELETE FROM upload");
}

core::Result<UploadLoad> upload_load(Connection& connection, const std::string& client) {
  GW_TRY(auto rows, connection.query(
                        "SELECT coalesce(sum(client = ?), 0), coalesce(sum(2 * length - received),"
                        " 0) FROM upload WHERE stored = 0 AND joined_into = ''",
                        client));
  GW_TRY(const bool found, rows.next());
  if (!found) return UploadLoad();
  return UploadLoad{rows.integer(0), static_cast<std::uint64_t>(rows.integer(1))};
}

}  // namespace gateway::sync
