#include "crypto/audit.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "core/text.h"
#include "crypto/aes_gcm.h"
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

/// The rows from `first` on are chained under the key of `root`.
struct Era {
  std::uint32_t root = 1;
  std::int64_t first = 1;
  std::string wrapped;  // the key; empty: it derives from the root
};

core::Result<std::vector<Era>> read_eras(Connection& connection) {
  std::vector<Era> eras;
  GW_TRY(Rows rows,
         connection.query("SELECT root, first_seq, wrapped FROM audit_key ORDER BY root"));
  while (true) {
    GW_TRY(const bool row, rows.next());
    if (!row) break;
    eras.push_back({static_cast<std::uint32_t>(rows.integer(0)), rows.integer(1),
                    rows.is_null(2) ? std::string() : std::string(as_text(rows.blob(2)))});
  }
  if (eras.empty()) eras.emplace_back();
  return eras;
}

std::string era_associated(const Era& era) {
  return core::cat("clinic-gateway audit key ", era.root, ' ', era.first);
}

core::Result<Secret> archive_key(const Keyring& keyring, std::uint32_t root) {
  return keyring.derived_key_of(root, "audit-archive");
}

/// `newest`: the last era's root, under which the keys of the others are wrapped.
core::Result<Secret> key_of(const Keyring& keyring, const Era& era, std::uint32_t newest) {
  if (era.wrapped.empty()) return keyring.derived_key_of(era.root, "audit");
  GW_TRY(const Secret archive, archive_key(keyring, newest));
  return unwrap_key(archive, as_octets(era.wrapped), as_octets(era_associated(era)));
}

/// Goes along the eras as rows are read in order.
class EraKeys {
 public:
  EraKeys(const Keyring& keyring, std::vector<Era> eras)
      : keyring_(keyring), eras_(std::move(eras)) {}

  core::Result<const Secret*> of(std::int64_t sequence) {
    std::size_t at = at_;
    while (at + 1 < eras_.size() && eras_[at + 1].first <= sequence) ++at;
    if (key_.empty() || at != at_) {
      GW_TRY(key_, key_of(keyring_, eras_[at], eras_.back().root));
      at_ = at;
    }
    return &key_;
  }

 private:
  const Keyring& keyring_;
  const std::vector<Era> eras_;
  std::size_t at_ = 0;
  Secret key_;
};

core::Status put_era(Connection& connection, const Era& era) {
  if (era.wrapped.empty()) {
    return connection.run("INSERT OR REPLACE INTO audit_key (root, first_seq) VALUES (?, ?)",
                          era.root, era.first);
  }
  return connection.run(
      "INSERT OR REPLACE INTO audit_key (root, first_seq, wrapped) VALUES (?, ?, ?)", era.root,
      era.first, as_octets(era.wrapped));
}

}  // namespace

core::Result<Audit> Audit::create(const Keyring& keyring) { return Audit(keyring); }

core::Result<std::uint32_t> Audit::root_in_use(Connection& connection,
                                               const AuditHead& head) const {
  GW_TRY(const auto noted, connection.integer("SELECT max(root) FROM audit_key"));
  if (noted) return static_cast<std::uint32_t>(*noted);
  const std::uint32_t newest = keyring_->root().number;
  if (head.sequence > 0 || newest == 1) return std::uint32_t{1};
  // A trail that begins under a later root: the database was made anew.
  GW_CHECK(put_era(connection, {newest, 1, ""}));
  return newest;
}

core::Result<Digest> Audit::chain_on(std::uint32_t root, const AuditHead& head,
                                     const std::array<std::string_view, 7>& texts) const {
  const std::lock_guard lock(kept_->mutex);
  if (kept_->root != root) {
    GW_TRY(kept_->key, keyring_->derived_key_of(root, "audit"));
    kept_->root = root;
  }
  return chain(kept_->key, head, texts);
}

core::Status Audit::move_to_newest_root(Connection& connection) const {
  const std::uint32_t newest = keyring_->root().number;
  GW_TRY(const AuditHead last, head(connection));
  GW_TRY(const std::uint32_t used, root_in_use(connection, last));
  if (used == newest) return {};
  GW_TRY(std::vector<Era> eras, read_eras(connection));
  GW_TRY(const Secret archive, archive_key(*keyring_, newest));
  for (Era& era : eras) {
    GW_TRY(const Secret key, key_of(*keyring_, era, used));
    GW_TRY(const WrappedKey wrapped, wrap_key(archive, key, as_octets(era_associated(era))));
    era.wrapped = as_text(wrapped);
    GW_CHECK(put_era(connection, era));
  }
  return put_era(connection, {newest, last.sequence + 1, ""});
}

core::Result<std::vector<AuditActor>> Audit::actors(Connection& connection, std::string_view prefix,
                                                    std::size_t actors_max) {
  std::vector<AuditActor> found;
  std::string after(prefix);
  while (found.size() < actors_max) {
    // From one actor to the next by the index: years of rows are not read.
    GW_TRY(
        const auto actor,
        connection.text("SELECT actor FROM audit WHERE actor > ? ORDER BY actor LIMIT 1", after));
    if (!actor || !actor->starts_with(prefix)) break;
    GW_TRY(const auto last, connection.text("SELECT max(at) FROM audit WHERE actor = ?", *actor));
    found.push_back({*actor, last.value_or("")});
    after = *actor;
  }
  return found;
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
  GW_TRY(const std::uint32_t root, root_in_use(connection, previous));
  GW_TRY(Digest mac, chain_on(root, previous,
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
  GW_TRY(std::vector<Era> eras, read_eras(connection));
  EraKeys keys(*keyring_, std::move(eras));
  GW_TRY(Rows rows,
         connection.query("SELECT at, actor, action, resource, patient, source, outcome, seq, mac"
                          " FROM audit WHERE seq > ? ORDER BY seq",
                          from.sequence));
  while (report.rows < rows_max) {
    GW_TRY(bool row, rows.next());
    if (!row) return report;
    Texts texts;
    for (std::size_t i = 0; i < kTexts; ++i) texts[i] = rows.text(static_cast<int>(i));
    GW_TRY(const Secret* key, keys.of(report.head.sequence + 1));
    GW_TRY(Digest mac, chain(*key, report.head, texts));
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
