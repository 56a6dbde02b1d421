// The FHIR uplink: resources out (fhir_push.h), the HIS's changes in (fhir_pull.h).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "sync/conflict_policy.h"
#include "sync/holdings.h"
#include "sync/uplink.h"

namespace gateway::sync {

struct FhirUplinkOptions {
  std::string name;
  core::Milliseconds poll_every{15'000};
  std::vector<std::string> pull;  // searches; empty: nothing is pulled
  MergePolicy policy = {};
  std::string hints_path = {};  // see sync/pull_hints.h; empty: nobody is listened to
};

/// Deliveries at once: where the server is near, two cores are as busy with four as they get and
/// more only get in each other's way; over 300 ms and 1 % loss a connection gets a tenth of
/// 2 Mbit/s, since most of the time it waits for an answer.
inline constexpr std::size_t kNearDeliveries = 4;
inline constexpr std::size_t kFarDeliveries = 20;

UplinkLimits fhir_uplink_limits(const FhirUplinkOptions& options);
std::unique_ptr<Uplink> make_fhir_uplink(FhirUplinkOptions options,
                                         std::shared_ptr<core::net::HttpClient> client,
                                         std::shared_ptr<Holdings> holdings,
                                         const core::Clock& clock);

}  // namespace gateway::sync
