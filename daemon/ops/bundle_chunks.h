// A support bundle as central operations get it: parts small enough for any broker and a slow link
// (docs/mqtt/diagnostics.schema.json), each of which says of which whole it is. Pure.
#pragma once

#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/result.h"

namespace gateway::daemon {

/// Of a chunk, before base64.
inline constexpr std::size_t kBundleChunkBytes = 16U << 10;
inline constexpr std::size_t kSentBundleBytesMax = 4U << 20;

/// In order, at least one. Code::refused: it is larger than is sent.
core::Result<std::vector<core::Json>> bundle_chunks(std::string_view bundle);

}  // namespace gateway::daemon
