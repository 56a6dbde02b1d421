// A person's name between DICOM PN (PS3.5 6.2.1.1) and FHIR HumanName, and the comparisons identity
// rests on.
#pragma once

#include <string>
#include <string_view>

#include "core/json.h"

namespace gateway::sync::fhir {

/// HumanName of the alphabetic group ("Family^Given^Middle^Prefix^Suffix"); null when it is empty.
core::Json human_name_from_pn(std::string_view pn);

/// PN of the name a person goes by: use "official", else "usual", else the first that is not "old".
/// Empty when none.
std::string pn_from_human_names(const core::Json& names);

/// PN of a Reference's display ("Dr. Ana Ruiz"): as one component, since nobody may guess its
/// parts.
std::string pn_from_display(std::string_view display);

/// True when two PNs name the same person as far as a machine may say: families equal after folding
/// case and accents, and the first given names equal or one of them missing or an initial of the
/// other. An empty name agrees with any.
bool names_agree(std::string_view pn_a, std::string_view pn_b);

/// "M", "F", "O" from FHIR gender, and back; empty when unknown.
std::string sex_from_gender(std::string_view gender);
std::string gender_from_sex(std::string_view sex);

/// One component group of a DICOM PN as names are searched: components trimmed, empty ones at the
/// end dropped (PS3.5 6.2.1), folded. Wildcards stay.
std::string pn_search_key(std::string_view group);

}  // namespace gateway::sync::fhir
