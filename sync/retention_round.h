// One round of retention: walks over the studies from the oldest, asks the PACS where the plan
// wants proof, evicts and shreds in small steps until age and free space are satisfied. It ends
// after kFruitlessStudies of which nothing may go; the next round goes on from there, so that a
// round costs the same however much is held.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/clock.h"
#include "core/files.h"
#include "core/net/http.h"
#include "sync/eviction.h"
#include "sync/holdings.h"
#include "sync/pacs_clients.h"
#include "sync/retention.h"

namespace gateway::sync {

inline constexpr std::size_t kFruitlessStudies = 256;

/// A walk from the oldest study to the newest, over as many rounds as it takes.
struct RetentionWalk {
  StudyCursor at;
  bool moved = false;  // something went, or was proven
};

struct RetentionReport {
  bool making_room = false;
  bool is_short = false;      // room is wanted, but in a whole walk nothing more could go
  std::uint64_t evicted = 0;  // this one and what follows: since the start
  std::uint64_t evicted_bytes = 0;
  std::uint64_t verified = 0;
  std::uint64_t differing = 0;
  std::uint64_t missing = 0;
  std::string problem;  // why a PACS could not be asked in the last round; empty: it could
};

struct RetentionSetting {
  std::shared_ptr<Holdings> holdings;
  core::Files& files;
  const core::Clock& clock;
  RetentionPolicy policy;
  PacsClients& pacs;
  std::function<bool()> stopping;
};

/// Blocks its loop for disk and database, step by step; for the upkeep thread. `report`
/// and `walk` go on from the round before. An error: of the database or the disk.
core::net::Awaitable<core::Status> retention_round(const RetentionSetting& setting,
                                                   RetentionWalk& walk, RetentionReport& report);

}  // namespace gateway::sync
