// What operators see of the queue and the studies, as JSON for the control socket and as counts for
// health. No names, ids or dates of patients in health_report(); the others go only to the operator
// on the box.
#pragma once

#include <cstdint>
#include <string>

#include "core/json.h"
#include "core/result.h"
#include "crypto/database.h"

namespace gateway::sync {

/// {"waiting","parked","letters" (messages that wait for a person),
/// "criticals" (results nobody has acknowledged),"oldest_age_s" (null when
/// empty),"by_uplink":[{"uplink","waiting","parked","oldest_age_s","last_success"}]}
core::Result<core::Json> health_report(crypto::Connection& connection,
                                       const std::string& now_instant);
/// Rows of the outbox, parked first, at most `limit`:
/// [{"number","uplink","kind","subject","state","attempts","queued_at","reason"}]
core::Result<core::Json> queue_report(crypto::Connection& connection, std::int64_t limit);
/// How many of what kind stand how, and why, in sync/refusal_class.h's words; no patient data:
/// [{"uplink","kind","state","why" (null: nothing was refused yet),"items"}]
core::Result<core::Json> queue_classes(crypto::Connection& connection);
/// Newest studies first:
/// [{"study_uid","patient_name","patient_id","accession","date","description","modalities","series","instances","delivered",
/// "waiting","parked","evicted","fetched" (for a visit, and
/// held),"pinned","identity":"linked|provisional|unassigned|disputed", "performed": null, or what
/// the modality's performed steps list:
/// {"running","listed","held","complete"}}]
core::Result<core::Json> studies_report(crypto::Connection& connection, std::int64_t limit);
/// Steps modalities are offered from the day `date_from` (DA) on, in scheduled order:
/// [{"patient_name","patient_id","birth_date","start_date","start_time","modality","station",
/// "description","accession","priority","status"}]
core::Result<core::Json> worklist_report(crypto::Connection& connection,
                                         const std::string& date_from, std::int64_t limit);
/// Images that a person should look into, at most `limit` of each:
/// {"damaged": damage_report(),
/// "unconfirmed":[{"sop_instance_uid","study_uid","uplink","proof":"differs|missing","at"}]}
core::Result<core::Json> storage_report(crypto::Connection& connection, std::int64_t limit);
/// Puts parked rows back to waiting: one by number, or all when `number` is 0. Answers how many.
core::Result<std::int64_t> retry_parked(crypto::Connection& connection, std::int64_t number);

}  // namespace gateway::sync
