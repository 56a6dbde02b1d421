// The policy table: what becomes of an element group of a FHIR R4 resource when clinic and hospital
// both changed the resource. The rows and their reasons are in docs/sync.md. Pure data.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace gateway::sync {

/// Written into every Provenance, review and audit row, with what the site chose otherwise. Changes
/// with every change of a row.
constexpr std::string_view kPolicyVersion = "2026-11.4";

enum class Rule {
  his,           // the hospital's; what the clinic entered becomes a proposal to it
  producer,      // of whoever made the resource (ServiceRequest: the placer)
  filler,        // of whoever carries it out (Task)
  clinic,        // the clinic's
  union_by_key,  // array: what either side added or changed; the same item changed by both: ask
  safer,         // the safer value acts on both sides at once, then a person is asked
  ask,           // a person decides; the hospital's is shown until then
};
std::string_view to_string(Rule rule);

/// How safe what an element says is, the safest first; the codes of one step are as safe as each
/// other, and all last steps say alike that it does not stand. "": nothing, or a code that is not
/// listed; "*": anything.
struct Safety {
  std::string_view element;  // a code, or a CodeableConcept's code; a choice type with [x]
  std::vector<std::vector<std::string_view>> steps;
};

/// Elements that only make sense together: value, unit, code and status of a result; dose and
/// timing. They are taken from one side as a whole. A choice type is named with [x]; what meta says
/// of the resource itself, with "meta." before it.
struct ElementGroup {
  std::string_view type;  // "*": every type
  std::string_view name;  // for people: "identity", "status"
  std::vector<std::string_view> elements;
  Rule rule = Rule::ask;
  /// union_by_key: the members of an item that name it; empty: an item is named by all it says.
  std::vector<std::string_view> key = {};
  std::vector<Rule> site_may = {};  // what a site may choose instead
  std::vector<Safety> safety = {};  // Rule::safer; what it does not name is as safe as anything
  std::vector<std::string_view> stops = {};  // states that act at once, as a retraction does
};

/// "value[x]" names valueQuantity, valueString and so on.
bool names_element(std::string_view pattern, std::string_view element);

/// What a site has chosen for one row.
struct SiteRule {
  std::string type;
  std::string group;
  std::string rule;  // as to_string() tells it
};

/// The table, with what a site chose. Immutable.
class MergePolicy {
 public:
  MergePolicy();
  /// Code::invalid says which row there is none, or what it may be instead.
  static core::Result<MergePolicy> for_site(const std::vector<SiteRule>& chosen);

  /// The group an element belongs to. An element the table does not name is a group of its own,
  /// with Rule::ask: nullptr. `element` without the underscore of a primitive's extensions.
  const ElementGroup* group_of(std::string_view type, std::string_view element) const;
  /// kPolicyVersion, and each row that was chosen otherwise: "2026-11 Patient/telecom=ask".
  const std::string& version() const { return version_; }

 private:
  std::vector<ElementGroup> rows_;
  std::string version_;
};
/// The table as it is. A site cannot choose otherwise where the rule is `his`, nor choose that one.
const MergePolicy& usual_policy();

/// True when the type has a group of Rule::his.
bool hospital_keeps_some_of(std::string_view type);

/// All rows as they are, for docs, tests and the console.
std::span<const ElementGroup> policy_table();

}  // namespace gateway::sync
