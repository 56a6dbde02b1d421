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
/// {"criticals":[{"number","device","raised_at","state","patient","results":[{"what","value",
/// "flag"}]}]}: those nobody has acknowledged, the oldest first, at most 200; `state` as of the
/// message, `patient` "Patient/ID" or empty.
core::Result<core::Json> criticals_report(crypto::Connection& connection);
core::Result<std::int64_t> count_criticals(crypto::Connection& connection);
/// Code::not_found: it is not open.
core::Status acknowledge_critical(crypto::Connection& connection, std::int64_t number,
                                  const std::string& who, const std::string& now);

}  // namespace gateway::sync
