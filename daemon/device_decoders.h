// The decoders of all devices the configuration names, for messages that wait for a person.
#pragma once

#include <memory>

#include "adapters/decoder.h"
#include "adapters/filedrop/folder_server.h"
#include "core/clock.h"
#include "core/config.h"

namespace gateway::daemon {

/// Devices whose settings or profiles are wrong are left out; the adapters say so. `clock` outlives
/// them.
adapters::Decoders device_decoders(const core::Config& config, const core::Clock& clock);

/// What drop folders and third-party adapters hand to the protocols that read it.
adapters::FileDecoders file_decoders(const core::Clock& clock);

/// The drop folders the configuration names, with the decoders of what lies in them; `door` and
/// `clock` outlive it. Code::invalid names the place and what to write instead.
core::Result<std::unique_ptr<adapters::filedrop::FolderServer>> folder_server(
    const core::Config& config, const sync::HoldingsDoor& door, const core::Clock& clock);

}  // namespace gateway::daemon
