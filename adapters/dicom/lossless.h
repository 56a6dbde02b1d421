// Pixels compressed without loss for a slow link. Internal to adapters/dicom.
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include <optional>
#include <string>

namespace gateway::adapters::dicom {

/// The data set as a DICOM file in JPEG-LS lossless (1.2.840.10008.1.2.4.80); nothing where it
/// holds no pixels that can be, or where what is decoded from it again is not the same in every
/// element. The data set itself stays uncompressed.
std::optional<std::string> compress_lossless(DcmDataset& data_set, const std::string& sop_class_uid,
                                             const std::string& sop_instance_uid);

}  // namespace gateway::adapters::dicom
