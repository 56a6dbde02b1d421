// Modality Performed Procedure Step SCP (PS3.4 F.7, PS3.7 10.1.3 and 10.1.5): success after the
// commit. Internal to adapters/dicom.
#pragma once

#include "adapters/dicom/association.h"
#include "adapters/dicom/traffic.h"
#include "sync/holdings.h"

namespace gateway::adapters::dicom {

/// Receives, records and answers one message. False: the association broke.
bool serve_step_create(Association& association, T_ASC_PresentationContextID context,
                       const T_DIMSE_N_CreateRQ& request, const sync::HoldingsDoor& door,
                       Traffic& traffic);
bool serve_step_set(Association& association, T_ASC_PresentationContextID context,
                    const T_DIMSE_N_SetRQ& request, const sync::HoldingsDoor& door,
                    Traffic& traffic);

}  // namespace gateway::adapters::dicom
