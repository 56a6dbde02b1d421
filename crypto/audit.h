// The audit trail: an append-only table in which every row is chained to the one before it by
//   mac = HMAC-SHA256(audit key, previous mac || row), the row as length-prefixed fields
//   (docs/formats.md).
// An edited, inserted, removed or reordered row breaks the chain, whatever the clock said; rows cut
// off at the end show against a head (sequence number and mac) that was published before. When the
// root key changes, rows from then on are chained under its key; the keys of the rows before stay,
// wrapped, beside the trail (table audit_key). Whoever
// reads the row may learn of a patient: rows stay in the encrypted database.
//
// Threads: any; append() runs inside a change, so on the writer thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "crypto/database.h"
#include "crypto/digest.h"
#include "crypto/keyring.h"
#include "crypto/secret.h"

namespace gateway::crypto {

struct AuditEntry {
  core::Wall at;         // what the clock said; order comes from the chain
  std::string actor;     // who: "ae:CT_ROOM1", "uplink:pacs", "user:..."
  std::string action;    // what: "store", "send", "read", ...
  std::string resource;  // on which thing: "ImagingStudy/<uuid>"
  std::string patient;   // whose, as Patient/<uuid>; empty: nobody's
  std::string source;    // from where: an address, a device, "cli"
  std::string outcome;   // a failure: a code's name, or "failed: why"; else "success" or what came
};

/// Which rows; empty: all. Times are FHIR instants in UTC and compare as text.
struct AuditFilter {
  std::string since = {};  // from then on
  std::string until = {};  // before then
  std::string patient = {};
  std::string actor = {};
};

/// A place in the trail as sorted by time.
struct AuditPlace {
  std::string at;
  std::int64_t sequence = 0;
};

/// A row as it is stored.
struct AuditRow {
  std::int64_t sequence = 0;
  std::string at;  // FHIR instant
  std::string actor, action, resource, patient, source, outcome;
};

/// Somebody who is in the trail.
struct AuditActor {
  std::string name;
  std::string last_at;  // FHIR instant
};

/// The newest row.
struct AuditHead {
  std::int64_t sequence = 0;
  Digest mac{};
};

struct AuditReport {
  std::uint64_t rows = 0;  // rows that are as they were written, counted from where it began
  std::optional<std::int64_t> broken_at;  // the first sequence number that is not
  AuditHead head;                         // of the intact part
};

class Audit {
 public:
  /// `keyring` outlives it.
  static core::Result<Audit> create(const Keyring& keyring);

  /// One row, in the caller's transaction.
  core::Status append(Connection& connection, const AuditEntry& entry) const;
  /// From the next row on the chain is under the newest root's key; in the caller's transaction.
  /// Nothing to do when it is already.
  core::Status move_to_newest_root(Connection& connection) const;
  /// Reads the chain from the row after `from`, at most `rows_max` rows: a report of fewer rows has
  /// reached the end. A broken chain is a finding in the report, not an error.
  core::Result<AuditReport> verify(Connection& connection, const AuditHead& from = {},
                                   std::uint64_t rows_max = UINT64_MAX) const;
  /// Up to `rows_max` rows after `after`, in order of their times, then of their numbers.
  static core::Result<std::vector<AuditRow>> read(Connection& connection, const AuditFilter& filter,
                                                  const AuditPlace& after, std::size_t rows_max);
  /// Whose names begin with `prefix`, at most `actors_max`, each with the time of its newest row.
  static core::Result<std::vector<AuditActor>> actors(Connection& connection,
                                                      std::string_view prefix,
                                                      std::size_t actors_max);
  static core::Result<AuditHead> head(Connection& connection);

 private:
  /// The key in use, kept: a derivation for each row would cost more than the row.
  struct Kept {
    std::mutex mutex;
    std::uint32_t root = 0;
    Secret key;
  };

  explicit Audit(const Keyring& keyring) : keyring_(&keyring), kept_(std::make_unique<Kept>()) {}
  core::Result<std::uint32_t> root_in_use(Connection& connection, const AuditHead& head) const;
  core::Result<Digest> chain_on(std::uint32_t root, const AuditHead& head,
                                const std::array<std::string_view, 7>& texts) const;

  const Keyring* keyring_;
  std::unique_ptr<Kept> kept_;
};

}  // namespace gateway::crypto
