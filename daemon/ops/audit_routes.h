// What the control socket answers about the audit trail, one page at a time, so that neither the
// daemon nor the command ever holds six years of it:
//
//   GET /v1/audit/events?since=I&until=I&patient=Patient/ID&actor=A&after=AT,SEQ
//       {"events":[AuditEvent...],"next":"AT,SEQ" or null}; I as audit_moment() takes it
//   GET /v1/audit/verify?after=SEQ,MAC
//       {"rows":N,"sequence":SEQ,"mac":HEX,"broken_at":SEQ or
//       null,"complete":bool,"public_key":HEX}
//   GET /v1/audit/row?sequence=SEQ          {"sequence":SEQ,"mac":HEX}; not_found
//   GET /v1/audit/checkpoint                a signed checkpoint of this moment
//
// Values are percent-encoded. Blocking: called off the loop.
#pragma once

#include <string>
#include <string_view>

#include "core/json.h"
#include "core/result.h"
#include "sync/holdings.h"

namespace gateway::daemon {

inline constexpr std::string_view kAuditRoutes = "/v1/audit/";

/// A FHIR instant of any zone, or a date (its first moment in UTC), as the trail's rows have it;
/// empty stays empty. Code::invalid says what to write.
core::Result<std::string> audit_moment(std::string_view given);

core::Result<core::Json> answer_audit(sync::Holdings& holdings, const std::string& site,
                                      std::string_view target);

}  // namespace gateway::daemon
