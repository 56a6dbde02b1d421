// What is kept of prefetching: the visits that are near, the priors chosen for each, and what of
// what is held was fetched. Inside the caller's transaction or snapshot.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/civil_time.h"
#include "core/result.h"
#include "crypto/database.h"
#include "sync/wado.h"

namespace gateway::sync {

struct Visit {
  std::string service_request;
  std::string patient;     // id of the Patient
  std::string patient_id;  // as modalities and the PACS know it
  std::string study_uid;   // of the visit's own images
  std::string modality;
};

/// By the open steps of the worklist (sync/prefetch_plan.h), the next first.
core::Result<std::vector<Visit>> near_visits(crypto::Connection& connection,
                                             const core::DicomTime& now,
                                             const core::DicomTime& until);

/// Those something is kept of that are not among `near`, over, called off, or put off, or that are
/// another patient's by now.
core::Result<std::vector<std::string>> visits_to_forget(crypto::Connection& connection,
                                                        const std::vector<Visit>& near);
core::Status forget_visit(crypto::Connection& connection, const std::string& service_request);

core::Result<bool> is_looked_up(crypto::Connection& connection, const std::string& service_request);
/// `study_uids` in the order they are to be fetched.
core::Status keep_priors(crypto::Connection& connection, const Visit& visit,
                         const std::vector<std::string>& study_uids);
/// Of those of the visit, the ones still wanted, in that order.
core::Result<std::vector<std::string>> wanted_priors(crypto::Connection& connection,
                                                     const std::string& service_request);
/// `state`: fetched or given_up.
core::Status end_prior(crypto::Connection& connection, const std::string& service_request,
                       const std::string& study_uid, std::string_view state);

/// Of these, those whose bytes are not here. What is damaged is the scrub's to replace.
core::Result<std::vector<InstanceName>> not_held(crypto::Connection& connection,
                                                 const std::vector<InstanceName>& names);

/// Bytes of all that is held because it was fetched.
core::Result<std::uint64_t> fetched_bytes(crypto::Connection& connection);
/// Rows of what is held of a study because it was fetched, whatever the clinic made beside it.
core::Result<std::vector<std::int64_t>> fetched_rows(crypto::Connection& connection,
                                                     const std::string& study_uid);
/// A near visit but `service_request` wants the study or has it.
core::Result<bool> is_wanted_elsewhere(crypto::Connection& connection, const std::string& study_uid,
                                       const std::string& service_request);

/// Where a walk over the studies stands that something fetched is held of and no near visit wants.
struct UnwantedStudy {
  std::string received_at;  // both empty: at the one that came first
  std::string study_uid;
};
core::Result<std::optional<UnwantedStudy>> next_unwanted(crypto::Connection& connection,
                                                         const UnwantedStudy& after);

/// Something urgent is on its way to the uplink, or a person has paused it.
core::Result<bool> is_uplink_taken(crypto::Connection& connection, const std::string& uplink);

}  // namespace gateway::sync
