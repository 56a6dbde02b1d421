// What an operator does with a held study: looks at it, sends it again, lets its images go now.
// Blocking.
#pragma once

#include <cstdint>
#include <string>

#include "core/clock.h"
#include "core/json.h"
#include "core/result.h"
#include "sync/holdings.h"

namespace gateway::sync {

/// A page of the study's instances behind row `after`, at most 500, first copies only:
/// {"study_uid","patient_name","patient_id","patient","date","description","instances":[{"row",
/// "sop_instance_uid","series_uid","sop_class_uid","transfer_syntax_uid","number","bytes","held"}]};
/// the patient as shown, "patient" the id of the
/// Patient it is linked to. Code::not_found: no such study, or its images are held back.
core::Result<core::Json> study_page(Holdings& holdings, const std::string& study_uid,
                                    std::int64_t after);

/// The study's row in the audit trail, durable on return: it was looked at ("read") or its images
/// are about to leave in the clear ("export"). Code::not_found: no such study.
core::Status note_disclosure(Holdings& holdings, const core::Clock& clock, std::string action,
                             const std::string& study_uid);
/// Of an instance, by its row. Code::not_found: there is none.
core::Result<std::string> study_of(Holdings& holdings, std::int64_t row);

/// Queues every held instance for the uplink, or (empty) all uplinks of images; what still waits is
/// left as it is. Answers how many rows wait now. Code::not_found: no such study or uplink.
core::Result<std::int64_t> send_study(Holdings& holdings, const core::Clock& clock,
                                      const std::string& study_uid, const std::string& uplink);

/// Lets go of the bytes of every instance that each PACS has proven to have (sync/retention.h).
/// {"evicted","kept"}: what nobody else has stays, as does a pinned study or one in dispute.
core::Result<core::Json> delete_study(Holdings& holdings, const core::Clock& clock,
                                      const std::string& study_uid);

}  // namespace gateway::sync
