// A device's question what to do with a specimen (Q, LIS02-A2 11), answered from the orders of the
// replica: H, per specimen P and O with the device's own test codes, L. What is not to be done any
// more, or has no code in the profile's map, is not in the answer. Nothing found: H and "L|1|I".
// Asked for ALL, the specimens of the newest orders that are to be done, at most 50.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "adapters/astm/mapping.h"
#include "core/clock.h"
#include "crypto/database.h"

namespace gateway::adapters::astm {

struct Asked {
  std::vector<std::string> specimens;  // Q-3, second component, else the first; at most 50
  bool is_all = false;                 // one of them is "ALL"
};
/// Nothing: the device takes its questions back (Q-13 A) and waits for no answer.
std::optional<Asked> asked_for(const Message& query);

/// The answer's records to `query`, each ended by CR. Error: the database did not answer.
core::Result<std::string> answer_query(crypto::Connection& connection, const Message& query,
                                       const Asked& asked, const AstmDevice& device,
                                       const core::Clock& clock);

}  // namespace gateway::adapters::astm
