// The checks of `clinic-gateway doctor`: what is wrong and what to do, in sentences for clinic IT.
// examine_machine() needs no running daemon and opens connections of its own; it blocks for up to
// 10 s. examine_vitals() adds what only the running daemon knows. No patient data in any of it.
#pragma once

#include <string>
#include <vector>

#include "core/json.h"
#include "daemon/ops/finding.h"
#include "daemon/ops/vitals.h"

namespace gateway::daemon {

/// Configuration, clock, disk, permissions, keys, TPM, ports, certificates, and each uplink and
/// broker as seen from here. Any thread.
std::vector<Finding> examine_machine(const std::string& config_path, DaemonSeen daemon);
/// State, components, queue, broker session.
std::vector<Finding> examine_vitals(const Vitals& vitals);

/// {"findings":[{"check","verdict":"ok|warn|fail","detail","advice"}]}
core::Json findings_document(const std::vector<Finding>& findings);

}  // namespace gateway::daemon
