// What clinicians and clerks enter, on either side: new resources and changes that the state
// machines of the resource allow. Every entered value carries a new mark of the ledger.
#pragma once

#include <string>
#include <vector>

#include "core/json.h"
#include "sync/replica.h"
#include "tests/sim/chance.h"
#include "tests/sim/ledger.h"

namespace gateway::sim {

/// The types a schedule edits, and what the gateways pull, patients first.
const std::vector<std::string>& edited_types();

struct Author {
  Chance& chance;
  Ledger& ledger;
  bool is_his = false;
};

core::Json new_patient(Author& author, const std::string& id);
/// A resource of `type` about the patient; `order`: of a ServiceRequest it belongs to, may be
/// empty.
core::Json new_record(Author& author, const std::string& type, const std::string& id,
                      const std::string& patient, const std::string& order);
/// One change by a person who sees `resource`.
core::Json changed(Author& author, core::Json resource);

}  // namespace gateway::sim
