// The DIMSE uplink: images to a PACS by C-STORE, in the transfer syntax they are held in, several
// over one association, and then storage commitment (PS3.4 B and J), which alone is proof that the
// PACS has them. DCMTK blocks, so it runs on threads of its own; no type of it is visible.
#pragma once

#include <memory>

#include "adapters/dicom/uplink_options.h"
#include "core/clock.h"
#include "core/config.h"
#include "sync/holdings.h"
#include "sync/options.h"
#include "sync/uplink.h"

namespace gateway::adapters::dicom {

sync::UplinkLimits dimse_uplink_limits();

/// abilities(): {"storage_commitment": whether the PACS takes requests for it}; null until it was
/// asked. `clock` outlives it. Code::invalid: DCMTK is not whole.
core::Result<std::unique_ptr<sync::Uplink>> make_dimse_uplink(
    DicomUplink settings, std::shared_ptr<sync::Holdings> holdings, const core::Clock& clock);

/// For sync::make_uplinks(). `config` and `clock` outlive what is made.
sync::UplinkMaker dimse_uplinks(std::shared_ptr<sync::Holdings> holdings,
                                const core::Config& config, const core::Clock& clock);

}  // namespace gateway::adapters::dicom
