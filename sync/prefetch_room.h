// Room for priors within their quota: what was fetched and no visit waits for goes again. What the
// clinic made never goes for it, nor what cannot go by retention's rules (sync/eviction.h).
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/clock.h"
#include "core/result.h"
#include "sync/holdings.h"

namespace gateway::sync {

/// Used from one thread; blocks for disk and database.
class PriorsRoom {
 public:
  PriorsRoom(Holdings& holdings, const core::Clock& clock, std::uint64_t quota_bytes,
             std::function<bool()> stopping)
      : holdings_(holdings),
        clock_(clock),
        quota_bytes_(quota_bytes),
        stopping_(std::move(stopping)) {}

  /// What is left of the quota: twice as much as `wanted`, where others can go for it. Less also
  /// when stopping.
  core::Result<std::uint64_t> make(std::uint64_t wanted);

  /// What was fetched of a study that does not become whole for the visit: a part of it would pass
  /// for all. It stays where another visit wants it.
  core::Status let_go_part(const std::string& study_uid, const std::string& service_request);

 private:
  core::Status let_go(const std::string& study_uid);

  Holdings& holdings_;
  const core::Clock& clock_;
  const std::uint64_t quota_bytes_;
  const std::function<bool()> stopping_;
};

}  // namespace gateway::sync
