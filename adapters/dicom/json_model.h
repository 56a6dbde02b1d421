// Data sets in the DICOM JSON Model (PS3.18 F). Internal to adapters/dicom.
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include <string>

#include "core/json.h"

namespace gateway::adapters::dicom {

/// Text in UTF-8. Values that are pixels, long, or neither text nor numbers are named by URI:
/// `bulk_base`, then '/' and where in the data set they are: a tag, or tags and item numbers
/// between dots (00540016.0.00181072). A value is left in a data set that was read lazily unless
/// it is shown.
core::Json to_dicom_json(DcmItem& data_set, const std::string& bulk_base);

/// The element of such a place; null: there is none.
DcmElement* element_at(DcmItem& data_set, const std::string& place);

/// "0020000D"
std::string tag_text(const DcmTagKey& tag);

}  // namespace gateway::adapters::dicom
