// HL7 v2 data types to FHIR R4 data types, after the v2-to-FHIR IG's data type maps. Each answers
// null for a field without a value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/hl7/mapping/code_tables.h"
#include "adapters/hl7/mapping/mapping.h"
#include "adapters/hl7/message.h"
#include "adapters/mapping/fhir_values.h"
#include "core/json.h"

namespace gateway::adapters::hl7 {

using mapping::decimal;
using mapping::FhirTime;
using mapping::kAssumedZone;
using mapping::kSentAs;
using mapping::kUcum;
using mapping::set_if;
using mapping::set_time;

/// CE, CWE, CNE, CF: both codings and the original text. A code of a system nobody knows is counted
/// and keeps a system of the device's own.
core::Json codeable_concept(Mapping& mapping, const Piece& field);
/// The same, written in the subcomponents of a component.
core::Json subcomponent_concept(Mapping& mapping, const Piece& component);
/// The text of a code that is written in subcomponents, else the code.
std::string text_of_code(const Piece& component);
/// ID, IS: a code of one v2 table, four digits, that code_tables.h knows the codes of. A code of
/// the site's own is counted and stays a text: it must not pass for the standard's.
core::Json table_concept(Mapping& mapping, const Piece& field, std::string_view table);
/// CWE: of the system it names, else as table_concept().
core::Json coded_by_table(Mapping& mapping, const Piece& field, std::string_view table);
/// table_concept() behind the coding that `map` (rows "system#code", below terminology.hl7.org) has
/// for it.
core::Json mapped_concept(Mapping& mapping, const Piece& field, std::string_view table,
                          CodeTable map);
/// All repetitions of a field, each by `convert`; an array, or null.
template <class Convert>
core::Json each_repetition(const Piece& field, const Convert& convert) {
  core::Json array = core::Json::array();
  for (std::size_t i = 0; i < field.repetitions(); ++i) {
    core::Json one = convert(field.repetition(i));
    if (!one.is_null()) array.add(std::move(one));
  }
  return array.size() == 0 ? core::Json() : array;
}

/// The FHIR system of an assigning authority (HD: namespace, universal id, type); empty: none
/// named. `name_base` makes a system of a bare local name.
std::string authority_system(const Piece& namespace_id, const Piece& universal_id,
                             const Piece& universal_type, std::string_view name_base);
/// CX: with type, system (the device's issuer where none is named), assigner and period.
core::Json cx_identifier(Mapping& mapping, const Piece& field);
/// EI (entity, namespace, universal id, type) with an identifier type of table 0203.
core::Json ei_identifier(Mapping& mapping, const Piece& field, std::string_view type);
/// Its system and value, for finding what carries it.
std::vector<sync::BusinessId> business_ids(const core::Json& identifiers);

core::Json human_name(const Mapping& mapping, const Piece& field);     // XPN
core::Json address(const Mapping& mapping, const Piece& field);        // XAD
core::Json contact_point(const Mapping& mapping, const Piece& field);  // XTN
/// Empty where neither is a time; null where it would end before it begins.
core::Json period_of(const Mapping& mapping, const Piece& start, const Piece& end);
/// XCN, or CN: a Reference to a Practitioner by identifier and display, to nobody by id.
core::Json practitioner_reference(Mapping& mapping, const Piece& field);
/// NDL, whose first component is a CNN written in subcomponents: the same.
core::Json interpreter_reference(Mapping& mapping, const Piece& field);
/// XON, a Reference to an Organization by name.
core::Json organization_reference(const Piece& field);
/// PL, a Reference to a Location by its parts.
core::Json location_reference(const Piece& field);

/// A TS, DTM or DT; a zone it does not name is the device's.
FhirTime fhir_time(const Mapping& mapping, const Piece& field);
/// As an instant in UTC, for ordering; empty when it is no time of day.
std::string utc_instant(const Mapping& mapping, const Piece& field);
/// For Draft::seed_at; none where the field tells no moment.
core::Wall seed_time(const Mapping& mapping, const Piece& field);

/// Number and unit as sent. A text that is no FHIR decimal answers null; "065.88" becomes 65.88
/// with what was sent beside.
core::Json quantity(Mapping& mapping, std::string_view number, const Piece& units);
/// The unit alone: unit, and system and code where it is UCUM.
void set_unit(Mapping& mapping, core::Json& quantity, const Piece& units);
/// CQ: number and unit, the unit's parts in subcomponents.
core::Json composite_quantity(Mapping& mapping, const Piece& field);
/// A whole number; 0: it is none.
std::int64_t whole_number(const std::string& text);

}  // namespace gateway::adapters::hl7
