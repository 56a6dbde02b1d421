// What a gateway does for its own store in the background: retention (evict what the PACS provably
// has), prefetch (priors of who is expected), scrub (find damage, fetch again), storage commitment
// (find out what is safe), shredding what is doomed, and giving space back. One thread with its own
// loop and its own connections; it takes the database's writer for one small step at a time, so
// intake does not wait for it.
//
// Every change of state is a transaction followed by work that may be repeated: a crash at any step
// leaves it to be done again at the next start.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/files.h"
#include "core/json.h"
#include "sync/commitment.h"
#include "sync/epoch_retirement.h"
#include "sync/holdings.h"
#include "sync/pacs_clients.h"
#include "sync/prefetch.h"
#include "sync/retention.h"

namespace gateway::sync {

struct UpkeepOptions {
  RetentionPolicy retention;
  PrefetchOptions prefetch;
  core::Milliseconds prefetch_every{10'000};
  std::optional<core::Milliseconds> keep_raw_messages;  // nothing: they stay
  core::Milliseconds keep_samples = std::chrono::hours(7 * 24);
  core::Milliseconds retention_every{60'000};
  core::Milliseconds epochs_retire_after = kRetireAfter;
  std::uint64_t scrub_bytes_per_s = 0;  // 0: no scrub
  core::Milliseconds scrub_round_every{0};
  core::Milliseconds scrub_begins_after{10'000};  // the start has other work to do
  core::Milliseconds scrub_looks_every{600'000};  // whether a round is due, damage can be mended
  CommitmentRule commitment = CommitmentRule::second_copy;
  core::Milliseconds commitment_every{2'000};
  core::Milliseconds deleted_leave_wal_every{3'600'000};
  ConnectPacs connect;
  std::set<std::string> committing_uplinks;  // as sync/pacs_clients.h says
  /// The scrub found the database damaged, and it is marked to be restored from the backup by the
  /// next start, which is wanted at once. From the upkeep thread.
  std::function<void()> restart = [] {};
};

class Upkeep {
 public:
  /// Starts the thread. `files` and `clock` outlive it.
  static std::unique_ptr<Upkeep> start(std::shared_ptr<Holdings> holdings, core::Files& files,
                                       const core::Clock& clock, UpkeepOptions options);
  /// Stops and waits for the step that runs: less than a second, but for the database's check.
  virtual ~Upkeep() = default;

  /// Thread-safe, cheap: {"retention":{"state":"idle|making_room|short_of_space","evicted",
  /// "evicted_bytes","verified","differing","missing","problem"},
  /// "prefetch":{"state":"off|idle|waiting","studies","instances","bytes","given_up","held_bytes",
  /// "problem"},
  /// "scrub":{"state":"off|resting|running","started_at","finished_at","objects","bytes","damaged",
  /// "repaired","damaged_now","database":"unchecked|ok|damaged","database_checked_at"}}
  virtual core::Json report() const = 0;
  /// What a person should look into, in our own words and without names. Thread-safe.
  virtual std::vector<std::string> problems() const = 0;
};

}  // namespace gateway::sync
