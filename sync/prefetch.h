// Prior studies of patients who are expected, fetched from a PACS before they come (QIDO-RS,
// WADO-RS): so that a workstation finds them here, link or no link. Bounded by quota, number and
// age; what the clinic has to send urgently goes first; a study that was cut is gone on with, and
// one that was fetched once for a visit is not fetched again for it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/clock.h"
#include "core/files.h"
#include "core/net/http.h"
#include "sync/holdings.h"
#include "sync/pacs_clients.h"
#include "sync/prefetch_plan.h"
#include "sync/uplink_hours.h"

namespace gateway::sync {

struct PrefetchOptions {
  std::string uplink;  // of kind stow, whose PACS is asked; empty: nothing is fetched
  PrefetchPolicy policy;
  UplinkHours hours;  // of the uplink
};

struct PrefetchReport {
  bool is_waiting = false;    // something is wanted, but may not be fetched just now
  std::uint64_t studies = 0;  // fetched whole; this one and what follows: since the start
  std::uint64_t instances = 0;
  std::uint64_t bytes = 0;
  std::uint64_t given_up = 0;    // studies
  std::uint64_t held_bytes = 0;  // of the quota, now
  std::string problem;           // why the PACS could not be asked in the last round
};

struct PrefetchSetting {
  std::shared_ptr<Holdings> holdings;
  core::Files& files;
  const core::Clock& clock;
  PrefetchOptions options;
  /// Nothing is fetched while less than this is free: retention would only take it away again.
  std::uint64_t free_at_least = 0;
  PacsClients& pacs;
  std::function<bool()> stopping;
};

/// What the PACS failed at without anything of it having come is left alone for a while, so that it
/// keeps nothing else back, and given up in the end.
struct PrefetchFailure {
  int times = 0;
  core::Monotonic rests_until = {};
};
struct PrefetchFailures {
  std::map<std::string, PrefetchFailure> look_ups;  // by visit
  std::map<std::string, PrefetchFailure> studies;   // by UID
};

/// Looks up the priors of visits that became near, the next visit first, and fetches one study.
/// True: there may be more to do at once. Blocks its loop for disk and database; for the upkeep
/// thread. `report` and `failures` go on from the round before. An error: of the database or the
/// disk.
core::net::Awaitable<core::Result<bool>> prefetch_round(const PrefetchSetting& setting,
                                                        PrefetchFailures& failures,
                                                        PrefetchReport& report);

}  // namespace gateway::sync
