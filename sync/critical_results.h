// Results that cannot wait (CLINICAL.md, Results): each raises an alarm that stays until a person
// says that somebody has taken note. A message is alarmed once, whoever it is about and even while
// nobody knows whose it is; a corrected result is a new message and a new alarm.
#pragma once

#include <cstdint>
#include <string>

#include "core/json.h"
#include "core/result.h"
#include "crypto/database.h"
#include "sync/incoming_message.h"

namespace gateway::sync {

/// Inside the transaction that takes the message; nothing where none of its results is critical
/// (sync/urgency.h).
core::Status raise_critical(crypto::Connection& connection, const IncomingMessage& message,
                            std::int64_t number, const std::string& now);
/// The same for a result that an app wrote through the FHIR API: `held` is what stood there before,
/// null where there was none. Once for each version that tells another critical value. `who`: the
/// app's name as the audit trail has it. Its alarm's number is negative: no message stands behind
/// it.
core::Status raise_critical_edit(crypto::Connection& connection, const std::string& reference,
                                 const core::Json& held, const core::Json& body,
                                 const std::string& who, const std::string& now);
/// {"criticals":[{"number","device","raised_at","state","patient","results":[{"what","value",
/// "flag"}]}]}: those nobody has acknowledged, the oldest first, at most 200; `state` as of the
/// message, `patient` "Patient/ID" or empty; `device` is the app of a result that came through the
/// FHIR API, and each of its results has "resource".
core::Result<core::Json> criticals_report(crypto::Connection& connection);
core::Result<std::int64_t> count_criticals(crypto::Connection& connection);
/// Code::not_found: it is not open.
core::Status acknowledge_critical(crypto::Connection& connection, std::int64_t number,
                                  const std::string& who, const std::string& now);

}  // namespace gateway::sync
