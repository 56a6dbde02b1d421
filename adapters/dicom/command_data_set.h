// The small data sets that come with queries and procedure steps: received whole, parsed by DCMTK.
// Internal to adapters/dicom.
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include <memory>
#include <string>

#include "adapters/dicom/association.h"
#include "adapters/dicom/element_header.h"
#include "core/result.h"

namespace gateway::adapters::dicom {

/// The data set that follows the command just received. Code::unavailable: the association broke;
/// Code::invalid: it is longer than `bytes_max`, and was read to its end.
core::Result<std::string> receive_command_data_set(Association& association,
                                                   T_ASC_PresentationContextID context,
                                                   std::size_t bytes_max);

/// Of every syntax but the deflated one.
Encoding encoding_of(E_TransferSyntax syntax);

/// Code::invalid when the bytes are no data set in the syntax, or one whose sequences nest deeper
/// than any that is meant.
core::Result<std::unique_ptr<DcmDataset>> parse_data_set(const std::string& bytes,
                                                         E_TransferSyntax syntax);

/// All values of an attribute of this level, trimmed; empty when it is not there.
std::string text_of(DcmItem& item, const DcmTagKey& tag);

}  // namespace gateway::adapters::dicom
