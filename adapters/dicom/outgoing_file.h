// An instance as a PACS is to have it, where that is not as it is held: sync::WriteAnew. No type of
// DCMTK is visible.
#pragma once

#include <cstdint>
#include <optional>

#include "core/clock.h"
#include "core/result.h"
#include "sync/holdings.h"

namespace gateway::adapters::dicom {

/// Compressed pixels go as JPEG-LS without loss (PS3.5 A.4.3) where `compresses` is set, at most
/// this long, decoded again and compared before.
inline constexpr std::uint64_t kCompressedBytesMax = 64U << 20;

/// With the patient's identity as it is now and what was there in Original Attributes, where what
/// the images tell does not stand any more; compressed where that was asked for and saves a tenth
/// at least. Nothing where neither is so.
core::Result<std::optional<sync::SentForm>> write_outgoing(sync::Holdings& holdings,
                                                           const core::Clock& clock,
                                                           std::int64_t row, bool compresses);

}  // namespace gateway::adapters::dicom
