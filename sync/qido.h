// What a DICOMweb server has of a patient, asked by QIDO-RS (PS3.18 10.6): in pages, and bounded.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/net/http.h"
#include "core/result.h"
#include "sync/prefetch_plan.h"
#include "sync/wado.h"

namespace gateway::sync {

/// Studies of a patient id, whoever issued it, of `from_date` (DA) and later, as the server names
/// them; those it does not name are left out. Errors: Code::invalid: its answer is none, or names
/// what is no UID; Code::lost_answer: also, it failed at it (408, 5xx); else the HTTP client's
/// codes.
core::net::Awaitable<core::Result<std::vector<PriorStudy>>> find_studies_of(
    std::shared_ptr<core::net::HttpClient> client, std::string patient_id, std::string from_date);

/// The same of a study's instances.
core::net::Awaitable<core::Result<std::vector<InstanceName>>> find_instances_of(
    std::shared_ptr<core::net::HttpClient> client, std::string study_uid);

}  // namespace gateway::sync
