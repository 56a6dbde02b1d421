// A held object's data set as DCMTK reads it, long values left in the sealed object until somebody
// asks for them: metadata, one frame or one value of an object of any size cost little memory.
// Internal to adapters/dicom.
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include <memory>

#include "core/result.h"
#include "crypto/objects.h"
#include "sync/archive.h"

namespace gateway::adapters::dicom {

/// Everything besides long values may be this long.
inline constexpr std::uint64_t kShortValuesMax = 32u << 20;
/// A data set that is deflated as a whole is unpacked into memory, up to this.
inline constexpr std::size_t kInflatedMax = 64u << 20;

/// Keeps the reader. For one thread. Code::invalid: it cannot be read, nests too deep, or is longer
/// than the bounds above; Code::corrupt: the object is damaged where it was read.
core::Result<std::unique_ptr<DcmDataset>> open_data_set(
    std::shared_ptr<crypto::SealedReader> reader, const sync::ArchiveInstance& instance);

}  // namespace gateway::adapters::dicom
