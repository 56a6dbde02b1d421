// Whether two resources say the same, however they are written. Pure.
#pragma once

#include <string>

#include "core/json.h"

namespace gateway::sync {

/// A copy without meta: what two sides compare after a lost answer.
core::Json without_meta(core::Json resource);
/// True when both say the same whatever the order of their members; arrays in the same order.
bool same_value(const core::Json& a, const core::Json& b);
/// The value as one text that is the same for all that same_value() holds equal.
std::string canonical_text(const core::Json& value);
/// True when both say the same apart from meta and the generated narrative, whatever the order of
/// their members.
bool same_content(const core::Json& a, const core::Json& b);

}  // namespace gateway::sync
