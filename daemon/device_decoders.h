// The decoders of all devices the configuration names, for messages that wait for a person.
#pragma once

#include "adapters/decoder.h"
#include "core/clock.h"
#include "core/config.h"

namespace gateway::daemon {

/// Devices whose settings or profiles are wrong are left out; the adapters say so. `clock` outlives
/// them.
adapters::Decoders device_decoders(const core::Config& config, const core::Clock& clock);

/// True where a device speaks that protocol ("hl7").
bool has_device(const core::Config& config, std::string_view protocol);

}  // namespace gateway::daemon
