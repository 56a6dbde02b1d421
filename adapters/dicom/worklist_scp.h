// Modality Worklist C-FIND SCP (PS3.4 K, PS3.7 9.1.2). Internal to adapters/dicom.
#pragma once

#include "adapters/dicom/association.h"
#include "adapters/dicom/query_trail.h"
#include "adapters/dicom/refusal.h"
#include "adapters/dicom/traffic.h"
#include "sync/holdings.h"

namespace gateway::adapters::dicom {

/// Receives, matches and answers one query; a C-CANCEL from the peer ends it with FE00. The
/// database is left before the first answer is sent. `character_set`: the peer's, for a query that
/// names none. False: the association broke.
bool serve_worklist(Association& association, T_ASC_PresentationContextID context,
                    const T_DIMSE_C_FindRQ& request, const sync::HoldingsDoor& door,
                    const std::string& character_set, QueryTrail& trail, Traffic& traffic);

}  // namespace gateway::adapters::dicom
