// Query/Retrieve C-GET and C-MOVE SCP (PS3.4 C.4.2, C.4.3), patient and study root, over what is
// held. What retention evicted or the scrub found damaged counts as failed, by name. Internal to
// adapters/dicom.
#pragma once

#include "adapters/dicom/association.h"
#include "adapters/dicom/dicom_options.h"
#include "adapters/dicom/traffic.h"
#include "core/clock.h"
#include "sync/holdings.h"

namespace gateway::adapters::dicom {

struct RetrieveDoor {
  const DicomOptions& options;
  const sync::HoldingsDoor& door;
  const core::Clock& clock;
  Traffic& traffic;
};

/// False: the association broke.
bool serve_get(Association& association, T_ASC_PresentationContextID context,
               const T_DIMSE_C_GetRQ& request, const RetrieveDoor& door);
/// To a peer of the settings that has a host; any other destination is refused (A801).
bool serve_move(Association& association, T_ASC_PresentationContextID context,
                const T_DIMSE_C_MoveRQ& request, const RetrieveDoor& door);

}  // namespace gateway::adapters::dicom
