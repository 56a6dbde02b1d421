#include "sync/sent_form.h"

#include <span>

#include "crypto/digest.h"
#include "sync/data_set_digest.h"
#include "sync/part10.h"

namespace gateway::sync {

core::Result<std::string> digest_of_file(std::string_view file) {
  const auto bytes = std::as_bytes(std::span(file));
  GW_TRY(const auto head, read_part10_head(bytes));
  if (!head) return core::Error(core::Code::invalid, "it is no DICOM file");
  return digest_text(
      crypto::sha256(bytes.subspan(static_cast<std::size_t>(head->data_set_offset))));
}

core::Status keep_sent_form(crypto::Connection& connection, std::int64_t instance,
                            const std::string& uplink, const std::string& digest) {
  return connection.run(
      "INSERT OR IGNORE INTO sent_form (instance, uplink, digest) VALUES (?, ?, ?)", instance,
      uplink, digest);
}

core::Result<bool> was_sent_as(crypto::Connection& connection, std::int64_t instance,
                               const std::string& uplink, const std::string& digest) {
  GW_TRY(const auto found, connection.integer("SELECT 1 FROM sent_form WHERE instance = ?"
                                              " AND uplink = ? AND digest = ?",
                                              instance, uplink, digest));
  return found.has_value();
}

}  // namespace gateway::sync
