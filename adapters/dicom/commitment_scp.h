// Storage Commitment Push Model SCP, the request (PS3.4 J.3.2): success means that the request is
// on stable storage, not that anything is committed. Internal to adapters/dicom.
#pragma once

#include "adapters/dicom/association.h"
#include "adapters/dicom/traffic.h"
#include "sync/holdings.h"

namespace gateway::adapters::dicom {

/// Receives, keeps and answers one N-ACTION. False: the association broke.
bool serve_commitment_request(Association& association, T_ASC_PresentationContextID context,
                              const T_DIMSE_N_ActionRQ& request, const sync::HoldingsDoor& door,
                              const core::Clock& clock, Traffic& traffic);

}  // namespace gateway::adapters::dicom
