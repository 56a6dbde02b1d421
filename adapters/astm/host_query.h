// A device's question what to do with a specimen (Q, LIS02-A2 11), answered from the orders of the
// replica: H, per order of the specimen P and O with the device's own test codes, L. What is not to
// be done any more, or has no code in the profile's map, is not in the answer. Nothing found: H and
// "L|1|I".
#pragma once

#include <string>
#include <vector>

#include "adapters/astm/mapping.h"
#include "core/clock.h"
#include "crypto/database.h"

namespace gateway::adapters::astm {

/// The specimens a query names (Q-3, second component, else the first); a query for "ALL" names
/// none.
std::vector<std::string> asked_specimens(const Message& query);

/// The answer's records, each ended by CR. Error: the database did not answer.
core::Result<std::string> answer_query(crypto::Connection& connection, const Message& query,
                                       const AstmDevice& device, const core::Clock& clock);

}  // namespace gateway::adapters::astm
