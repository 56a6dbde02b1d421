// JSON Patch (RFC 6902) on a document whose numbers and order of members stay as they came. Pure.
#pragma once

#include "core/json.h"
#include "core/result.h"

namespace gateway::sync {

inline constexpr std::size_t kPatchOperationsMax = 1'000;

/// The document after all operations of `patch`. Code::invalid: the patch is not one, or one of its
/// operations has nothing to work on; a failed `test` (numbers compare by value) is Code::refused.
/// The error names the operation by its number, never a value.
core::Result<core::Json> apply_json_patch(core::Json document, const core::Json& patch);

}  // namespace gateway::sync
