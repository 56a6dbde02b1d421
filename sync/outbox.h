// The outbox: what still has to reach an uplink, in order. Rows are queued in the transaction that
// stores what they speak of, marked before they are sent, and deleted in the transaction that
// records their delivery: nothing is dropped, and what may have been sent is known as such. What is
// urgent goes first (sync/urgency.h), and with it whatever it has to wait for. All functions run
// inside the caller's transaction.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "crypto/database.h"
#include "sync/uplink.h"
#include "sync/urgency.h"

namespace gateway::sync {

/// Queues one row in the turn `latest` or sooner: a resource's in the turn of what is held of it
/// now. A row of the same subject that still waits is left to do the work. Answers the row's
/// number.
core::Result<std::int64_t> queue_row(crypto::Connection& connection, std::string_view uplink,
                                     std::string_view kind, std::string_view subject,
                                     std::uint64_t bytes, std::optional<std::int64_t> needs,
                                     std::string_view now_instant, Turn latest = Turn::routine);

struct ClaimLimits {
  std::size_t rows_max = 1;
  std::uint64_t bytes_max = 0;  // at least one row is answered whatever its size
  std::set<std::int64_t> held;  // numbers that are not due yet
  std::function<bool(const std::string&)> is_settling;  // subjects still changing
  bool only_stat = false;                               // and what that has to wait for
  bool in_any_order = false;                            // as UplinkLimits
};
struct Claim {
  std::vector<OutboxRow> rows;
  bool skipped_settling = false;  // a row would have been due but its subject still changes
};
/// Marks the due rows whose turn it is as being sent, the oldest of a turn first, and answers them.
/// Rows of a circle (sync/reference_order.h) are answered together, more than rows_max if need be.
/// Not due: held, still settling, needing
/// an unfinished row, referring to a resource the uplink has not confirmed yet
/// (sync/reference_order.h), or another row of the same subject being sent.
core::Result<Claim> claim_rows(crypto::Connection& connection, std::string_view uplink,
                               const ClaimLimits& limits);

/// What the engine decided for one row.
struct Verdict {
  enum class What { done, again, park, drop } what = What::again;
  std::int64_t number = 0;
  bool perhaps_sent = false;
  bool counts_as_attempt = false;
  std::string reason;
  std::string remote_version;
  std::int64_t local_version = 0;
  bool found_there = false;  // recognised by reading back, not by the peer's answer to our request
};
core::Status record_verdicts(crypto::Connection& connection, std::string_view uplink,
                             const std::vector<Verdict>& verdicts, std::string_view now_instant);

/// What was refused of a resource before goes: it was corrected, or nobody wants it any more.
/// Whatever waits for it may go.
core::Status drop_parked(crypto::Connection& connection, std::string_view uplink,
                         const std::string& subject);

/// After a restart nobody is sending: every marked row waits again, as perhaps sent.
core::Status release_claims(crypto::Connection& connection);

}  // namespace gateway::sync
