// What stands at the DICOM end of sync, which knows no DCMTK: registered with the holdings.
#pragma once

#include "core/config.h"
#include "sync/holdings.h"

namespace gateway::daemon {

/// sync::holdings_options() with all of it.
sync::HoldingsOptions holdings_options(const core::Config& config);

}  // namespace gateway::daemon
