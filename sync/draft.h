// A resource as one message tells of it, before it is known whether it is new, an update or a
// repeat, and the pure rules by which it meets what is held (CLINICAL.md "Results", "Identity").
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/json.h"

namespace gateway::sync {

/// How a draft meets what is held under the same id.
enum class DraftKind {
  record,  // the newest event wins; elements the message does not name stay
  result,  // Observation, DiagnosticReport: besides, the status only moves forward
};

struct BusinessId {
  std::string system;
  std::string value;
};

/// Of an Encounter whose sender gives it no number: which of the patient's visits is meant where
/// the seed meets nothing (sync/open_visit.h).
enum class VisitMeant {
  seeded,  // none but the seed's
  open,    // the open one
  closed,  // the one that was discharged last
};

/// A reference between the drafts of one bundle: Reference.reference = draft_reference(index), or
/// kPatientReference for the message's patient. A Reference with `type` and `identifier` but no
/// `reference` gets one when exactly one resource of that type carries the identifier.
inline constexpr std::string_view kPatientReference = "#patient";
std::string draft_reference(std::size_t index);
std::optional<std::size_t> parse_draft_reference(std::string_view reference);

struct Draft {
  core::Json body;  // without id and meta
  DraftKind kind = DraftKind::record;
  std::vector<BusinessId> known_as;  // the first of these that one held resource carries is it
  std::string seed;         // else the id is made of this: the same seed is the same thing again
  std::string former_seed;  // where nothing is held under the seed and something under this, it is
                            // that: what named the thing before it had what names it now; or empty
  core::Wall seed_at{};     // orders the ids; part of the seed
  std::vector<std::string> erased;  // elements the sender wants deleted: "gender", "period.end"
  std::string status_if_new;        // set where nothing is held, instead of the body's
  bool is_edit = false;  // of what its sender sent before: held for a person where that is not held
                         // for the same patient
  VisitMeant visit = VisitMeant::seeded;
  bool is_released = true;  // a result's "final" counts as final without a person's release
};

/// The body to store over `held`; nothing: the draft changes nothing, or may not. `sent`: the
/// draft's body with its references resolved. `is_older`: its event is older than that of what is
/// held.
std::optional<core::Json> meet_held(const core::Json& held, const Draft& draft,
                                    const core::Json& sent, bool is_older);

/// The body to store where nothing is held.
core::Json first_version(const Draft& draft, core::Json sent);

}  // namespace gateway::sync
