// An uplink: one way out to a hospital system. It delivers outbox rows and says what became of
// each; what to do about it is the engine's decision.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/json.h"
#include "core/net/http.h"
#include "core/result.h"
#include "sync/uplink_hours.h"

namespace gateway::sync {

/// One claimed outbox row.
struct OutboxRow {
  std::int64_t number = 0;
  std::string
      kind;  // "instance" (subject: row id of dicom_instance) or "resource" (subject: Type/id)
  std::string subject;
  std::uint64_t bytes = 0;  // for sizing batches; 0: unknown
  int attempts = 0;
  bool perhaps_sent =
      false;                // an earlier attempt ended without an answer: read back before sending
  std::int64_t circle = 0;  // not 0: rows of one delivery that only go together, see
                            // sync/reference_order.h
};

enum class Delivery {
  delivered,  // the peer confirmed it
  needless,   // nothing is to be sent of it any more; nobody was asked
  begun,      // the peer holds a part of it, or has no room for more: the rest goes when its turn
              // comes again, after retry_after
  refused,    // the peer will never take it as it is: park it with the reason
  failed,     // this row failed, others may pass: try it again later
  lost,       // the answer was lost: perhaps delivered
  unreached,  // the peer could not be reached or is not itself: nothing was processed, try all
              // later
};

struct RowOutcome {
  std::int64_t number = 0;
  Delivery result = Delivery::unreached;
  std::string reason;  // for people; empty when delivered
  // Where the peer said more: kept with the row in place of `reason`. May name a patient, and so
  // goes into no log and no health report.
  std::string peers_words;
  std::optional<core::Milliseconds> retry_after;  // the peer's own wish
  std::string remote_version;                     // resources: the versionId the peer now has
  bool found_there = false;                       // delivered: recognised by reading back
  std::int64_t local_version = 0;                 // resources: the replica version that was sent
};

/// Of that row; `reason` for people.
inline RowOutcome ended(const OutboxRow& row, Delivery result, std::string reason,
                        bool found_there = false) {
  RowOutcome outcome;
  outcome.number = row.number;
  outcome.result = result;
  outcome.reason = std::move(reason);
  outcome.found_there = found_there;
  return outcome;
}

struct PullReport {
  bool reached = false;
  bool idle = false;         // there was nothing to ask: this says nothing about the peer
  std::string error;         // why it ended early, for people
  std::string refused;       // what the peer did not answer to; the rest was brought. For people
  std::int64_t applied = 0;  // resources new or changed
};

struct UplinkLimits {
  std::size_t rows_per_delivery = 1;
  std::uint64_t bytes_per_delivery = 8u << 20;
  std::size_t deliveries_in_flight = 1;          // until Uplink::window() says something else
  std::size_t deliveries_most = 0;               // that it may say; 0: it never says more
  std::optional<core::Milliseconds> pull_every;  // set where the uplink pulls
  bool in_any_order = false;  // its messages say all they mean: none waits for what it refers to
  UplinkHours hours;          // outside of them only what is stat is sent, and nothing is pulled
};

/// Used from the loop thread only.
class Uplink {
 public:
  virtual ~Uplink() = default;
  virtual const std::string& name() const = 0;
  virtual std::string_view kind() const = 0;
  virtual UplinkLimits limits() const = 0;
  /// Deliveries at once that serve the link best, as it was found to be. Asked after each.
  virtual std::size_t window() const { return limits().deliveries_in_flight; }
  /// One outcome per row, in any order. Does not throw, but for a defect: then the service tries
  /// each row by itself.
  virtual core::net::Awaitable<std::vector<RowOutcome>> deliver(std::vector<OutboxRow> rows) = 0;
  /// Brings the peer's changes into the replica, or what a PACS has committed itself to; uplinks
  /// that do not pull answer reached = true.
  virtual core::net::Awaitable<PullReport> pull() = 0;
  /// `hinted` is called on the loop whenever the peer says that a pull would bring something. Set
  /// before anything else is asked of it; uplinks that hear nothing forget it.
  virtual void on_hint(std::function<void()> hinted) { (void)hinted; }
  /// What the peer was found to do, for status; null: nothing is known of it.
  virtual core::Json abilities() const { return {}; }
  /// Asks the peer anew and answers abilities(). Code::busy: it is being asked. What is sent
  /// meanwhile goes by what was known.
  virtual core::net::Awaitable<core::Result<core::Json>> probe() { co_return core::Json(); }
  /// Ends what is running; every waiting call returns soon.
  virtual void close() = 0;
};

}  // namespace gateway::sync
