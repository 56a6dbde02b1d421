// What the replica can be searched by: one table of search parameters (FHIR R4 3.1.1, the
// parameters of each resource's own page) that the index, the queries and the CapabilityStatement
// all read. Pure.
#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/json.h"

namespace gateway::sync {

enum class SearchKind { token, string, date, reference };
std::string_view to_string(SearchKind kind);

struct SearchParam {
  std::string_view type;
  std::string_view name;
  SearchKind kind;
  /// Elements from the resource down, "name.family"; arrays are gone through; alternatives are
  /// parted by '|'. A token of "deceased[x]" is true where one of the choice is there that is not
  /// false, else false.
  std::string_view path;
  /// References: the types a value may name, parted by ','. The first stands for a bare id's type
  /// where there is one only.
  std::string_view targets = {};
  /// The parameter whose rows it reads; empty: its own. `patient` is `subject` of one type.
  std::string_view indexed_as = {};

  std::string_view index_name() const { return indexed_as.empty() ? name : indexed_as; }
};

/// Grows with every change of the table: what was indexed under an older one is indexed anew when
/// the holdings open.
inline constexpr int kSearchParametersVersion = 3;

/// By type, in the order of the table.
std::span<const SearchParam> search_params();
std::span<const SearchParam> search_params_of(std::string_view type);
/// Null: there is none.
const SearchParam* find_search_param(std::string_view type, std::string_view name);

/// The resource types that have rows in the table.
const std::vector<std::string_view>& searchable_types();

/// What the path names in the resource, in its order.
std::vector<const core::Json*> values_at(const core::Json& resource, std::string_view path);

/// Everything a resource is found by; sets, since a resource may say a thing twice.
struct SearchValues {
  std::set<std::tuple<std::string_view, std::string, std::string>> tokens;   // param, code, system
  std::set<std::tuple<std::string_view, std::string>> strings;               // param, folded
  std::set<std::tuple<std::string_view, std::string>> exact;                 // param, as written
  std::set<std::tuple<std::string_view, std::int64_t, std::int64_t>> dates;  // param, low, high
  std::set<std::tuple<std::string_view, std::string>> references;            // param, target
};
/// What the texts as they are written are indexed under, for :exact.
std::string exact_rows_of(std::string_view param);
/// Of null: nothing.
SearchValues search_values(std::string_view type, const core::Json& resource);

/// Longer values are cut: what is searched for is, too.
inline constexpr std::size_t kSearchTextMax = 200;

}  // namespace gateway::sync
