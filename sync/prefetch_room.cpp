#include "sync/prefetch_room.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "core/log.h"
#include "sync/eviction.h"
#include "sync/prefetch_rows.h"
#include "sync/shredding.h"

namespace gateway::sync {
namespace {

using crypto::Connection;

constexpr std::size_t kEvictedAtOnce = 32;  // the writer is held that long

}  // namespace

core::Result<std::uint64_t> PriorsRoom::make(std::uint64_t wanted) {
  UnwantedStudy at;
  while (true) {
    GW_TRY(const std::uint64_t held, holdings_.database().read_value<std::uint64_t>(fetched_bytes));
    const std::uint64_t left = quota_bytes_ - std::min(quota_bytes_, held);
    if (left >= 2 * wanted || stopping_()) return left;
    GW_TRY(auto next, holdings_.database().read_value<std::optional<UnwantedStudy>>(
                          [&at](Connection& connection) { return next_unwanted(connection, at); }));
    if (!next) return left;
    at = std::move(*next);
    GW_CHECK(let_go(at.study_uid));
  }
}

core::Status PriorsRoom::let_go_part(const std::string& study_uid,
                                     const std::string& service_request) {
  GW_TRY(const bool wanted, holdings_.database().read_value<bool>([&](Connection& connection) {
    return is_wanted_elsewhere(connection, study_uid, service_request);
  }));
  if (wanted) return {};
  return let_go(study_uid);
}

core::Status PriorsRoom::let_go(const std::string& study_uid) {
  GW_TRY(const auto rows,
         holdings_.database().read_value<std::vector<std::int64_t>>(
             [&](Connection& connection) { return fetched_rows(connection, study_uid); }));
  for (std::size_t begin = 0; begin < rows.size(); begin += kEvictedAtOnce) {
    const std::size_t end = std::min(begin + kEvictedAtOnce, rows.size());
    const std::vector<std::int64_t> group(rows.begin() + static_cast<std::ptrdiff_t>(begin),
                                          rows.begin() + static_cast<std::ptrdiff_t>(end));
    GW_TRY(const Evicted evicted, evict(holdings_, clock_, group));
    if (evicted.instances == 0) continue;
    // One that cannot be shredded stays doomed, and is tried again.
    const auto shredded =
        shred_doomed(holdings_.database(), holdings_.objects(), clock_, stopping_);
    if (!shredded.ok()) core::log_warn("prefetch", shredded.error().message());
  }
  return {};
}

}  // namespace gateway::sync
