// The order groups of results and orders: which OBX, NTE and SPM belong to which OBR (HL7 v2.8
// 4.4, 7.3.1 ORU_R01, 7.3.7 OUL_R22 and its like, where the specimen stands first).
#pragma once

#include <vector>

#include "adapters/hl7/mapping/mapping.h"
#include "adapters/hl7/message.h"

namespace gateway::adapters::hl7 {

struct ObservationGroup {
  const Segment* obx = nullptr;
  std::vector<const Segment*> notes;  // NTE
};

struct OrderGroup {
  const Segment* orc = nullptr;
  const Segment* obr = nullptr;     // null: observations that answer no order, or an ORC alone
  const Segment* timing = nullptr;  // TQ1
  std::vector<const Segment*> notes;
  std::vector<const Segment*> specimens;  // SPM
  std::vector<ObservationGroup> observations;
};

/// ORC-1 of an earlier result that an order quotes (PRIOR_RESULT): empty, PR or RE.
bool is_of_prior_result(const Segment& orc);

/// Segments of no group are counted as not mapped.
std::vector<OrderGroup> order_groups(Mapping& mapping);

}  // namespace gateway::adapters::hl7
