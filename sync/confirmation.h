// Does the PACS really hold what it said it stored? The instance is read back (WADO-RS) and the
// digests of both data sets are compared. Retention evicts nothing without it.
#pragma once

#include <functional>
#include <memory>

#include "core/clock.h"
#include "core/net/http.h"
#include "sync/holdings.h"
#include "sync/retention.h"
#include "sync/wado.h"

namespace gateway::sync {

enum class Confirmed {
  verified,  // same data set: noted, with the digest
  differs,   // the PACS changed the data set; noted
  missing,   // the PACS does not have it, by WADO-RS and by QIDO-RS; noted
  unknown,   // not held here any more, or not readable here: nothing noted
};

/// Asks one uplink after one instance and records the answer. An error means that the uplink did
/// not answer as one should: ask nothing more of it for a while. Reads both objects whole;
/// `stopping` ends the reading here. Blocks its loop for disk and database: for the upkeep thread.
core::net::Awaitable<core::Result<Confirmed>> confirm_instance(
    std::shared_ptr<Holdings> holdings, std::shared_ptr<core::net::HttpClient> client,
    const core::Clock& clock, Question question, std::function<bool()> stopping);

}  // namespace gateway::sync
