// Which alarms central operations have to know of, from what is published as health and the dates
// of certificates: both hold our own words only. Pure.
#pragma once

#include <vector>

#include "core/json.h"
#include "sync/central_outbox.h"

namespace gateway::daemon {

/// Days before a certificate's end from which it is an alarm.
inline constexpr int kCertificateWarningDays = 21;

/// `health`: health_document(); `certificates`: certificates_report(). Each name once.
std::vector<sync::CentralAlarm> alarms_of(const core::Json& health, const core::Json& certificates);

}  // namespace gateway::daemon
