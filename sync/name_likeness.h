// How alike two people's names are, for suggesting whom somebody may mean; never for deciding
// (that is fhir::names_agree()). Pure.
#pragma once

#include <string_view>

namespace gateway::sync {

enum class Likeness {
  other,
  near,  // a slip of the hand or the ear apart: "phiri" and "firi", "jane" and "jnae"
  same,
};

/// Of two names or words as core::fold() makes them. An empty one is like no other.
Likeness likeness(std::string_view one, std::string_view other);

}  // namespace gateway::sync
