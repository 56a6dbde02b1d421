// Reads the attributes of a Modality Performed Procedure Step message (PS3.4 table F.7.2-1) into
// the members of a step's body (sync/performed_step.h). Internal to adapters/dicom.
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include <string>

#include "core/json.h"

namespace gateway::adapters::dicom {

struct StepAttributes {
  core::Json members = core::Json::object();  // those the message carries with a value
  std::string remarks;  // what the standard demands and the message lacks; no values
};

/// `data_set` is turned into UTF-8. Sloppy messages are read as far as they go (PS3.4 F.7.2.1.2
/// demands more than modalities send): what is missing is remarked upon.
StepAttributes read_step_attributes(DcmDataset& data_set, bool is_new);

}  // namespace gateway::adapters::dicom
