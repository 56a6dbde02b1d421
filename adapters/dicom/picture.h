// An image as a person looks at it in a browser, with the window its makers chose (PS3.18 8.7.4,
// PS3.3 C.11.2). Internal to adapters/dicom.
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include <string>

#include "adapters/dicom/held_instance.h"
#include "core/result.h"

namespace gateway::adapters::dicom {

/// `frame` from 0 on. Code::invalid: it is no image, or one that cannot be decoded.
core::Result<std::string> make_picture(DcmDataset& data_set, std::uint32_t frame,
                                       PictureFormat format, std::uint32_t edge_max);

}  // namespace gateway::adapters::dicom
