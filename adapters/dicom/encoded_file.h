// A data set in memory as a DICOM file (PS3.10 7). Internal to adapters/dicom.
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include <string>

#include "core/result.h"

namespace gateway::adapters::dicom {

/// Code::invalid: it cannot be written in that syntax.
core::Result<std::string> encode_file(DcmDataset& data_set, const std::string& sop_class_uid,
                                      const std::string& sop_instance_uid,
                                      const std::string& transfer_syntax);

}  // namespace gateway::adapters::dicom
