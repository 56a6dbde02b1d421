// A FHIR R4 Procedure of a performed procedure step (IHE RAD; R4 Procedure). Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"

namespace gateway::sync::fhir {

struct ProcedureLinks {
  std::string id;
  std::string sop_instance_uid;
  std::string patient;                        // id; empty: not linked, then the display says so
  std::vector<std::string> service_requests;  // ids of the orders it answers
};

/// `step`: a body of sync/performed_step.h. Times are taken as local time of `zone`.
core::Json procedure_of_step(const core::Json& step, const ProcedureLinks& links,
                             std::string_view zone);

}  // namespace gateway::sync::fhir
