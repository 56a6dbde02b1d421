// Query/Retrieve C-FIND SCP (PS3.4 C.4.1), patient and study root, over what is held. Relational
// queries are answered too. Internal to adapters/dicom.
#pragma once

#include <string>

#include "adapters/dicom/association.h"
#include "adapters/dicom/query_trail.h"
#include "adapters/dicom/traffic.h"
#include "sync/holdings.h"

namespace gateway::adapters::dicom {

/// Receives, matches and answers one query, a page of studies at a time: the database is never held
/// while an answer is on its way. `character_set`: the peer's, for a query that names none. False:
/// the association broke.
bool serve_archive_query(Association& association, T_ASC_PresentationContextID context,
                         const T_DIMSE_C_FindRQ& request, const sync::HoldingsDoor& door,
                         const std::string& character_set, QueryTrail& trail, Traffic& traffic);

}  // namespace gateway::adapters::dicom
