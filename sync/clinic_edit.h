// An edit made in the clinic, by a person's app: the version, the rows that bring it to the
// hospital and the audit row, in the caller's transaction. What the hospital last agreed on stays
// noted per uplink, so that the push names it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/json.h"
#include "core/result.h"
#include "crypto/audit.h"
#include "crypto/database.h"
#include "sync/replica.h"
#include "sync/worklist.h"

namespace gateway::sync {

/// Who edits, and where edits go.
struct Editing {
  const crypto::Audit& audit;
  const core::Clock& clock;
  const WorklistOptions& worklist;
  const std::vector<std::string>& uplinks;  // of FHIR; none: this box is the top of its tree
  std::string actor;                        // "client:NAME"
  std::string source;                       // an address
};

/// Stores `body` as the newest version; answers its number, the present one where nothing changed
/// but what the server says itself (meta.versionId, lastUpdated). `action`: "create", "update",
/// "patch".
core::Result<std::int64_t> store_edit(crypto::Connection& connection, const Editing& editing,
                                      const ResourceKey& key, const core::Json& body,
                                      std::string_view action);

/// Answers the tombstone's number; 0: it was never held.
core::Result<std::int64_t> store_removal(crypto::Connection& connection, const Editing& editing,
                                         const ResourceKey& key);

}  // namespace gateway::sync
