// A DICOM file (PS3.10) that lies in a folder, taken in as if it had come by C-STORE.
#pragma once

#include <memory>

#include "adapters/decoder.h"
#include "sync/holdings.h"

namespace gateway::adapters::dicom {

/// FileDecoders::dicom.
core::Result<sync::StoreOutcome> take_dropped_file(std::shared_ptr<sync::Holdings> holdings,
                                                   const std::function<NextBytes()>& read);

}  // namespace gateway::adapters::dicom
