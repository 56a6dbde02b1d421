// Audit rows as FHIR R4 AuditEvent in the shape of IHE BALP (Basic Audit Log Patterns 1.1): who did
// it and on which system, the patient and the thing as entities, and what came of it. What goes
// over REST names the BALP profile it is of (Create, Read, Update, Delete, each with or without a
// patient); DICOM transfers keep DICOM's own event type. Pure.
#pragma once

#include <string>

#include "core/json.h"
#include "crypto/audit.h"

namespace gateway::sync {

/// `site` names the gateway as observer. The event's id is "audit-" and the row's number, so that
/// exporting twice gives the same events.
core::Json audit_event(const crypto::AuditRow& row, const std::string& site);

}  // namespace gateway::sync
