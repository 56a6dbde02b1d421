// What FHIR says of an order, its patient and its specimens, as fields of HL7 v2.5.1 (chapter 2A),
// with the usual delimiters. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/json.h"

namespace gateway::adapters::hl7 {

std::string escaped(std::string_view text);
/// "20260301101500+0100" of a FHIR date, dateTime or instant; DTM has four digits of a second.
std::string dtm(std::string_view fhir);
/// EI; with '&' as part of an EIP.
std::string ei(const core::Json& identifier, char delimiter = '^');
/// The code of an identifier's type: PLAC, FILL, MR...
std::string_view type_code(const core::Json& identifier);
std::string cwe(const core::Json& concept_);
std::string xcn(const core::Json& person);
/// Table 0485.
std::string_view priority_of(std::string_view priority);
/// Ended by CR. `own_issuer`: whose id of the patient comes first; `number`: PID-1.
std::string pid_segment(const core::Json& patient, const std::string& own_issuer,
                        std::size_t number = 1);
/// DTM of when the specimen was taken; empty: not told.
std::string collected_at(const core::Json& specimen);

}  // namespace gateway::adapters::hl7
