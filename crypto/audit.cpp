#include "crypto/audit.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "crypto/octets.h"

namespace gateway::crypto {
namespace {

constexpr std::size_t kTexts = 7;
using Texts = std::array<std::string_view, kTexts>;

void append_number(std::string& out, std::uint64_t number) {
  std::array<std::byte, 8> octets;
  put_little_endian(std::span(octets), number);
  out += as_text(octets);
}

core::Result<Digest> chain(const Secret& key, const AuditHead& previous, const Texts& texts) {
  std::string covered(as_text(previous.mac));
  append_number(covered, static_cast<std::uint64_t>(previous.sequence + 1));
  for (std::string_view text : texts) {
    append_number(covered, text.size());
    covered += text;
  }
  Digest mac{};
  unsigned int length = 0;
  if (HMAC(EVP_sha256(), key.bytes().data(), static_cast<int>(key.size()), raw(as_octets(covered)),
           covered.size(), raw(std::span<std::byte>(mac)), &length) == nullptr) {
    return core::Error(core::Code::internal, "OpenSSL refused to compute an HMAC");
  }
  return mac;
}

}  // namespace

core::Result<Audit> Audit::create(const Keyring& keyring) {
  GW_TRY(Secret key, keyring.derived_key("audit"));
  return Audit(std::move(key));
}

core::Result<AuditHead> Audit::head(Connection& connection) {
  AuditHead head;
  GW_TRY(Rows rows, connection.query("SELECT seq, mac FROM audit ORDER BY seq DESC LIMIT 1"));
  GW_TRY(bool row, rows.next());
  if (!row) return head;
  head.sequence = rows.integer(0);
  auto mac = rows.blob(1);
  if (mac.size() != head.mac.size()) {
    return core::Error(core::Code::corrupt, "the newest audit row is damaged; verify the audit");
  }
  std::ranges::copy(mac, head.mac.begin());
  return head;
}

core::Status Audit::append(Connection& connection, const AuditEntry& entry) const {
  GW_TRY(AuditHead previous, head(connection));
  const std::string at = core::to_instant(entry.at);
  GW_TRY(Digest mac, chain(key_, previous,
                           {at, entry.actor, entry.action, entry.resource, entry.patient,
                            entry.source, entry.outcome}));
  return connection.run(
      "INSERT INTO audit (seq, at, actor, action, resource, patient, source, outcome, mac)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
      previous.sequence + 1, at, entry.actor, entry.action, entry.resource, entry.patient,
      entry.source, entry.outcome, std::span<const std::byte>(mac));
}

core::Result<AuditReport> Audit::verify(Connection& connection, const AuditHead& from,
                                        std::uint64_t rows_max) const {
  AuditReport report;
  report.head = from;
  GW_TRY(Rows rows,
         connection.query("SELECT at, actor, action, resource, patient, source, outcome, seq, mac"
                          " FROM audit WHERE seq > ? ORDER BY seq",
                          from.sequence));
  while (report.rows < rows_max) {
    GW_TRY(bool row, rows.next());
    if (!row) return report;
    Texts texts;
    for (std::size_t i = 0; i < kTexts; ++i) texts[i] = rows.text(static_cast<int>(i));
    GW_TRY(Digest mac, chain(key_, report.head, texts));
    if (rows.integer(7) != report.head.sequence + 1 || !std::ranges::equal(rows.blob(8), mac)) {
      report.broken_at = report.head.sequence + 1;
      return report;
    }
    report.head = {report.head.sequence + 1, mac};
    ++report.rows;
  }
  return report;
}

core::Result<std::vector<AuditRow>> Audit::read(Connection& connection, const AuditFilter& filter,
                                                const AuditPlace& after, std::size_t rows_max) {
  // A statement for each set of conditions, so that each can use its index; all of them give the
  // rows in this order without sorting.
  std::string sql =
      "SELECT seq, at, actor, action, resource, patient, source, outcome FROM audit"
      " WHERE at >= ? AND (at > ? OR seq > ?)";
  sql += filter.until.empty() ? " AND ? = ''" : " AND at < ?";
  sql += filter.patient.empty() ? " AND ? = ''" : " AND patient = ? AND patient <> ''";
  sql += filter.actor.empty() ? " AND ? = ''" : " AND actor = ?";
  sql += " ORDER BY at, seq LIMIT ?";
  const bool skips = filter.since > after.at;
  const std::string& from = skips ? filter.since : after.at;
  GW_TRY(Rows rows, connection.query(sql, from, from, skips ? 0 : after.sequence, filter.until,
                                     filter.patient, filter.actor, rows_max));
  std::vector<AuditRow> found;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return found;
    const auto text = [&](int column) { return std::string(rows.text(column)); };
    found.push_back(
        {rows.integer(0), text(1), text(2), text(3), text(4), text(5), text(6), text(7)});
  }
}

}  // namespace gateway::crypto
