// One round of storage commitment: finds out what open requests wait for, a bounded number at a
// time, and decides what can be decided.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/clock.h"
#include "core/net/http.h"
#include "sync/commitment.h"
#include "sync/holdings.h"
#include "sync/pacs_clients.h"

namespace gateway::sync {

struct CommitmentSetting {
  std::shared_ptr<Holdings> holdings;
  const core::Clock& clock;
  CommitmentRule rule = CommitmentRule::second_copy;
  PacsClients& pacs;
  std::function<bool()> stopping;
};

/// What one round leaves to the next.
struct CommitmentWalk {
  /// When a request was first looked at: a modality may ask before its last instance was answered.
  std::map<std::int64_t, core::Monotonic> first_seen;
  /// By uplink, the row of the last question: one that never gets an answer must not keep those
  /// behind it waiting.
  std::map<std::string, std::int64_t> asked_after;
  /// Rows whose own copy could not be read, and when.
  std::map<std::int64_t, core::Monotonic> unreadable;
};

/// Blocks its loop for disk and database, step by step; for the upkeep thread. An error is of the
/// database; a PACS that does not answer is asked again in a later round.
core::net::Awaitable<core::Status> commitment_round(const CommitmentSetting& setting,
                                                    CommitmentWalk& walk);

}  // namespace gateway::sync
