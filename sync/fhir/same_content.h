// Whether two resources say the same, however they are written. Pure.
#pragma once

#include <string>
#include <string_view>

#include "core/json.h"

namespace gateway::sync {

/// True when both say the same whatever the order of their members; arrays in the same order.
bool same_value(const core::Json& a, const core::Json& b);
/// The value as one text that is the same for all that same_value() holds equal.
std::string canonical_text(const core::Json& value);
/// True when both say the same apart from what their server says of them (meta.versionId,
/// lastUpdated, source) and the generated narrative, whatever the order of their members and of
/// meta's labels, tags and profiles. A label or tag is what its system and code say.
bool same_content(const core::Json& a, const core::Json& b);

/// meta.versionId, lastUpdated and source: every server says its own.
bool is_servers_own(std::string_view meta_member);
/// A narrative of the people's, which says more than the elements (R4 Narrative.status).
bool has_own_narrative(const core::Json& resource);

}  // namespace gateway::sync
