// The configured devices of a protocol whose profiles name fields.
#pragma once

#include <string_view>
#include <vector>

#include "adapters/fields/field_mapping.h"
#include "core/config.h"
#include "core/files.h"

namespace gateway::adapters::fields {

/// Profiles read; a device without one has an empty profile. Code::invalid names the place and what
/// to write instead.
core::Result<std::vector<FieldDevice>> field_devices(const core::Config& config, core::Files& files,
                                                     std::string_view protocol);

}  // namespace gateway::adapters::fields
