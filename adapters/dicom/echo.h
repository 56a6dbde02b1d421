// Verification (PS3.4 A) of a PACS that images are sent to: whether it takes our association, under
// the titles of the settings, and answers C-ECHO.
#pragma once

#include "adapters/dicom/uplink_options.h"
#include "core/result.h"

namespace gateway::adapters::dicom {

/// Blocks for up to 10 s for each step; any thread. Code::unavailable with what was answered.
core::Status echo(const DicomUplink& uplink);

}  // namespace gateway::adapters::dicom
