// Checks of `doctor` that concern this machine alone: its clock, certificates, ports and TPM. Any
// thread.
#pragma once

#include <string>
#include <vector>

#include "core/config.h"
#include "core/net/http.h"
#include "daemon/ops/finding.h"

namespace gateway::daemon {

/// Whether it can be right, and, from outside of the daemon, whether a time server keeps it so.
Finding examine_clock();

/// Those of ours that are shown or trusted: that they can be read, fit their keys and do not end
/// within the days of alarms_of().
std::vector<Finding> examine_certificates(const core::Config& config, core::Wall now);

/// Every TCP port that the configuration opens: listened on while the daemon runs, free while not.
std::vector<Finding> examine_ports(const core::Config& config, DaemonSeen daemon);

/// `sealed_to_it`: a key slot can be opened by the TPM only. `device`: where the kernel shows it;
/// the daemon's own /dev holds no devices.
Finding examine_tpm(bool sealed_to_it, const std::string& device = "/sys/class/tpmrm/tpmrm0");

}  // namespace gateway::daemon
