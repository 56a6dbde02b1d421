// The policy table: what becomes of an element group of a FHIR R4 resource when clinic and hospital
// both changed the resource. The rows and their reasons are in docs/sync.md. Pure data.
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace gateway::sync {

/// Written into every Provenance and review item. Changes with every change of a row.
constexpr std::string_view kPolicyVersion = "2026-11";

enum class Rule {
  his,           // the hospital's; what the clinic entered becomes a proposal to it
  producer,      // of whoever made the resource (ServiceRequest: the placer)
  clinic,        // the clinic's: it does the work (Task: the filler)
  union_by_key,  // array: what either side added or changed; the same item changed by both: ask
  safer,         // the safer value acts on both sides at once, then a person is asked
  ask,           // a person decides; the hospital's is shown until then
};
std::string_view to_string(Rule rule);

/// Elements that only make sense together: value, unit, code and status of a result; dose and
/// timing. They are taken from one side as a whole. A choice type is named with [x].
struct ElementGroup {
  std::string_view type;  // "*": every type
  std::string_view name;  // for people: "identity", "status"
  std::vector<std::string_view> elements;
  Rule rule = Rule::ask;
  /// union_by_key: the members of an item that name it; empty: an item is named by all it says.
  std::vector<std::string_view> key = {};
  /// safer, producer, clinic: values of the group's first element (a code, or a CodeableConcept's
  /// code), the one that must win first.
  std::vector<std::string_view> order = {};
};

/// The group an element belongs to. An element the table does not name is a group of its own, with
/// Rule::ask: nullptr. `element` without the underscore of a primitive's extensions.
const ElementGroup* group_of(std::string_view type, std::string_view element);

/// True when the type has a group of Rule::his.
bool hospital_keeps_some_of(std::string_view type);

/// All rows, for docs, tests and the console.
std::span<const ElementGroup> policy_table();

/// States that nobody leaves without a person: a status moving out of one is asked about.
/// entered-in-error absorbs everywhere and is not listed.
bool is_terminal(std::string_view type, std::string_view status);

}  // namespace gateway::sync
