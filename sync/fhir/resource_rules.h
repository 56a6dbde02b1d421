// What a resource must look like to be taken from a clinic's app: the shape FHIR R4 JSON has
// (2.6.2: what may repeat is an array), the elements its type cannot do without, the codes of its
// status, and the clinical rules that hold at the door. What is unknown here passes through:
// extensions and elements are the sender's. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/json.h"
#include "core/result.h"

namespace gateway::sync {

/// R4 id: 1 to 64 of A-Z, a-z, 0-9, '-' and '.'.
bool is_resource_id(std::string_view id);

/// "http://…": what a search asks for after its '?' ("Patient?identifier=http://…|1") is no URL.
bool is_absolute_url(std::string_view reference);

struct RequiredElements {
  std::string_view type;
  std::string_view elements;  // parted by ' '; "medication[x]" for any of a choice
  std::string_view statuses;  // allowed codes of status, parted by ' '; empty: no status
  std::string_view lists;     // its own elements of cardinality ..*, parted by ' '
};
/// Null for a type this server does not take.
const RequiredElements* required_elements(std::string_view type);

/// Code::invalid names the element, never its value.
core::Status check_resource(std::string_view type, const core::Json& resource);

/// CLINICAL.md: entered-in-error absorbs; a result that was final is not made preliminary again.
/// Code::refused says which.
core::Status check_transition(std::string_view type, const core::Json& before,
                              const core::Json& after);

/// A copy without meta.versionId and meta.lastUpdated, which are the server's to say.
core::Json without_server_meta(core::Json resource);

/// The Patient a resource is about, "Patient/id"; empty: none is named.
std::string patient_of(const core::Json& resource);

}  // namespace gateway::sync
