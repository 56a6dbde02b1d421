// As much of JSON Schema 2020-12 as our own schemas use: type, const, enum, required, properties,
// additionalProperties, items, minimum. Formats and patterns are not checked.
#pragma once

#include <string>

#include "core/json.h"

namespace gateway::daemon {

/// Empty when `value` fits, else where and how it does not.
std::string schema_violation(const core::Json& schema, const core::Json& value,
                             const std::string& at = "$");

}  // namespace gateway::daemon
