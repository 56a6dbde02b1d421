// Which code system a sender means: HL7 table 0396 names, and what senders write instead, to the
// URIs FHIR knows them by (HL7 v2-to-FHIR IG, CWE to Coding).
#pragma once

#include <string>
#include <string_view>

namespace gateway::adapters::mapping {

/// The URI; empty for a local or unknown system. HL7nnnn becomes the v2 table's own URI, an OID
/// urn:oid:, a URI stays.
std::string coding_system_uri(std::string_view name);

/// The way back: the name of table 0396 where there is one, HL7nnnn, an OID, else the URI itself.
std::string coding_system_name(std::string_view uri);

}  // namespace gateway::adapters::mapping
