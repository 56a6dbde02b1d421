// Which studies a query may match, by index: more than match, never fewer, whatever the identity
// they are shown with (sync/shown_patient.h). Inside the caller's snapshot.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "crypto/database.h"

namespace gateway::sync {

/// What is known of every match; empty: nothing.
struct ArchiveHints {
  std::string patient_id = {};
  std::string name_begins = {};  // of the first component group, as fhir::pn_search_key() makes it
  std::string date_from = {};    // DA, eight digits
  std::string date_to = {};
};

/// Study Instance UIDs in ascending order by the hint that leaves fewest, tried in the order above;
/// nothing: no hint leaves at most `most`.
core::Result<std::optional<std::vector<std::string>>> archive_candidates(
    crypto::Connection& connection, const ArchiveHints& hints, std::size_t most);

}  // namespace gateway::sync
