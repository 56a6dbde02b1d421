// Retention's hands: the facts a plan is made of, and what a plan asks for carried out. Blocking;
// for the upkeep thread.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "core/clock.h"
#include "sync/holdings.h"
#include "sync/retention.h"

namespace gateway::sync {

/// Where a walk over the studies stands; empty: at the oldest. What was fetched for a visit
/// (sync/prefetch.h) comes before what the clinic made.
struct StudyCursor {
  bool is_past_fetched = false;
  std::string received_at;
  std::string study_uid;
};

/// The words of the index dicom_study_evictable, so that it is walked.
inline constexpr char kEvictableStudies[] =
    "SELECT received_at, study_uid FROM dicom_study"
    " WHERE evicted_at = '' AND pinned = 0 AND identity IN ('linked', 'provisional')"
    " AND is_fetched = ? AND (received_at, study_uid) > (?, ?) AND received_at < ?"
    " ORDER BY received_at, study_uid LIMIT ?";

/// Studies whose bytes may go (held, not pinned, patient settled) after `cursor` and received
/// before `received_before`, in the order of the walk, at most `limit`; moves the cursor. Costs
/// what these studies hold, however many there are. Uplinks that said no (differs, missing) are
/// asked again when that was before `ask_again_before`.
struct Asking {
  std::vector<std::string> image_uplinks;
  std::set<std::string> silent;  // uplinks that are not to be asked now
  std::string ask_again_before;  // instant
};
core::Result<std::vector<HeldStudy>> held_studies(crypto::Connection& connection,
                                                  const Asking& asking,
                                                  const std::string& received_before, int limit,
                                                  StudyCursor& cursor);

struct Evicted {
  std::uint64_t instances = 0;
  std::uint64_t bytes = 0;
};

/// Notes the digests that are missing, then in one transaction marks the rows evicted (those that
/// may still go: a pin or a dispute may have come in between), dooms their objects and writes it
/// into the audit trail. The bytes go by shred_doomed(). Rows of one study or many, at most some
/// tens: the writer is held that long.
core::Result<Evicted> evict(Holdings& holdings, const core::Clock& clock,
                            const std::vector<std::int64_t>& rows);

}  // namespace gateway::sync
