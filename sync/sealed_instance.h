// A sealed object read for what it says of itself: the instance as ingest would have it.
#pragma once

#include <string>

#include "core/result.h"
#include "sync/holdings.h"
#include "sync/imaging.h"

namespace gateway::sync {

/// Of an object that is whole: its size, where its data set begins, its facts, the AE titles of its
/// File Meta Information and where it was fetched from (sync/fetched_mark.h). Code::invalid: it is
/// no DICOM file, or does not say which image it is. Reads the head only.
core::Result<ReceivedInstance> read_sealed_instance(Holdings& holdings, const std::string& id);

}  // namespace gateway::sync
