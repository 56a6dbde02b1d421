#include "sync/prefetch_options.h"

#include <chrono>

namespace gateway::sync {

using core::KeyType;

std::vector<core::ConfigKey> prefetch_config_keys() {
  return {
      {.path = "prefetch.uplink",
       .meaning = "NAME of the [uplink.NAME] of kind stow whose PACS is asked, ahead of a visit on "
                  "the worklist, for the patient's prior studies (QIDO-RS, WADO-RS); without it "
                  "none are fetched"},
      {.path = "prefetch.hours_ahead",
       .type = KeyType::integer,
       .meaning = "hours before a visit at which that begins",
       .default_text = "24",
       .minimum = 1,
       .maximum = 24 * 14},
      {.path = "prefetch.studies_max",
       .type = KeyType::integer,
       .meaning = "studies of a patient that are fetched at most: those with the visit's modality "
                  "first, the newest of each first",
       .default_text = "3",
       .minimum = 1,
       .maximum = 100},
      {.path = "prefetch.years_max",
       .type = KeyType::integer,
       .meaning = "years after which a study is too old to be fetched",
       .default_text = "5",
       .minimum = 1,
       .maximum = 100},
      {.path = "prefetch.quota_mb",
       .type = KeyType::integer,
       .meaning = "MB that fetched studies take on the disk at most; those no visit waits for go "
                  "first, and none is fetched while less than retention.free_below_mb is free",
       .default_text = "10240",
       .minimum = 1,
       .maximum = 1 << 26},
  };
}

PrefetchOptions prefetch_options(const core::Config& config) {
  PrefetchOptions options;
  options.uplink = config.text("prefetch.uplink");
  options.policy.quota_bytes = static_cast<std::uint64_t>(config.integer("prefetch.quota_mb"))
                               << 20;
  options.policy.studies_max = static_cast<int>(config.integer("prefetch.studies_max"));
  options.policy.years_max = static_cast<int>(config.integer("prefetch.years_max"));
  options.policy.ahead = std::chrono::hours(config.integer("prefetch.hours_ahead"));
  return options;
}

}  // namespace gateway::sync
