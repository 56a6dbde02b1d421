// Receives the data set that follows a DIMSE command, PDV by PDV (PS3.7 9.3, PS3.8 9.3.5), into a
// consumer that takes every byte. DCMTK's own receiver refuses a fragment of odd length; deflated
// data sets that were never padded (PS3.5 A.5) arrive in one. Internal to adapters/dicom.
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcostrma.h>
#include <dcmtk/dcmnet/assoc.h>

namespace gateway::adapters::dicom {

/// Blocks until the last PDV came, the association ended or the socket's own time-out passed. Good
/// only after the last PDV of a data set sent whole in `context`. The consumer must never fall
/// short: it latches its failures itself.
OFCondition receive_data_set(T_ASC_Association& association, T_ASC_PresentationContextID context,
                             DcmConsumer& consumer);

}  // namespace gateway::adapters::dicom
