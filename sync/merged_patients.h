// Patients the hospital holds for one person (Patient.link of type replaced-by, R4 8.1.6): followed
// where something is read or sent, so that taking the link away undoes it. No record is changed.
// Inside the caller's snapshot or transaction.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "crypto/database.h"
#include "sync/replica.h"
#include "sync/search_query.h"

namespace gateway::sync {

/// The record the hospital replaced this one by; nothing: it stands for itself.
std::optional<ResourceKey> replaced_by(const core::Json& patient);

/// `patient` (an id), the one that replaced it, and so on to the one who stays. Ends at a record
/// that is not held, which is left out, and after 8 links, which is a ring: then and where
/// `patient` itself is not held, it is `patient` alone.
core::Result<std::vector<std::string>> replacements_of(crypto::Connection& connection,
                                                       const std::string& patient);

/// Ids of all records of the person, the one who stays first: at most 50.
core::Result<std::vector<std::string>> records_of_person(crypto::Connection& connection,
                                                         const std::string& patient);

/// Whoever searches what is about one record of a person finds what is about the others as well.
core::Status widen_to_person(crypto::Connection& connection, SearchQuery& query);

/// What is to reach `uplink` about a record that the hospital there has replaced: the same about
/// the one who stays. Nothing: it stays as it is. Goes by what that hospital said, not by an edit
/// made here; Patients themselves are left alone.
core::Result<std::optional<core::Json>> aimed_at_survivor(crypto::Connection& connection,
                                                          const std::string& uplink,
                                                          const core::Json& resource);

}  // namespace gateway::sync
