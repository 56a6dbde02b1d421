// A FHIR search as asked for (R4 3.1.1), taken apart and checked against the table of parameters.
// Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "sync/search_date.h"
#include "sync/search_params.h"

namespace gateway::sync {

using QueryPairs = std::vector<std::pair<std::string, std::string>>;

/// "a=b&c=d", percent-encoded, in order. Code::invalid: a broken escape, not UTF-8, or more than
/// 100 pairs.
core::Result<QueryPairs> parse_query_pairs(std::string_view query);
std::string write_query_pairs(const QueryPairs& pairs);

enum class DatePrefix { eq, ne, gt, lt, ge, le, sa, eb };

/// One value of a parameter; values of one parameter are alternatives.
struct SearchValue {
  std::string text;        // string: folded; token: the code; reference: a type's bare id or a URL
  std::string system;      // token
  bool any_system = true;  // token: "code"; else "system|code"
  bool any_code = false;   // token: "system|"
  DatePrefix prefix = DatePrefix::eq;
  TimeSpan span;                     // date: by the site's clocks where it names no zone
  TimeSpan days;                     // date: by UTC's, as the index has what is a day and no time
  std::vector<std::string> targets;  // reference: what it may stand for, "Type/id"
};

struct Criterion {
  enum class Over { param, id, last_updated } over = Over::param;
  const SearchParam* param = nullptr;
  bool negated = false;    // :not
  bool contains = false;   // :contains
  bool exact = false;      // :exact
  bool any_value = false;  // :missing=false; negated: =true. There are no values then
  std::vector<SearchValue> values;
  /// patient.identifier=…: what the target, of chain_type, must match instead of values.
  std::string chain_type;
  std::shared_ptr<const Criterion> chain;
};

struct SearchSort {
  enum class By { id, last_updated, param } by = By::id;
  const SearchParam* param = nullptr;  // a date or string
  bool descending = false;
};

struct SearchInclude {
  const SearchParam* param = nullptr;  // a reference of the searched type
  std::string target_type;             // empty: any
};

/// Where a page begins: after this entry in the order of the sort.
struct SearchPlace {
  std::vector<std::string> keys;  // what it is sorted as, one of each of query.sorts
  std::string id;
};

struct SearchQuery {
  std::string type;
  std::vector<Criterion> criteria;
  std::vector<SearchSort> sorts;  // what equals by one goes by the next, in the end by id
  std::vector<SearchInclude> includes;
  int count = 50;  // 0: only how many there are
  bool total = false;
  std::optional<SearchPlace> after;
  QueryPairs used;                   // what was understood, for the self link
  std::vector<std::string> ignored;  // names that were not
};

inline constexpr int kSearchCountMax = 500;
inline constexpr std::size_t kSearchSortsMax = 4;

struct SearchDemands {
  bool strict = false;    // what is not understood is an error
  std::string own_base;   // "https://host/fhir": a reference that begins so is one of ours
  std::string zone = {};  // of days and times that name none; empty: UTC
};

/// Code::invalid says which parameter or value is wrong, and what would do. _format, _pretty and
/// _elements-like parameters that only shape the answer are not criteria and not reported.
core::Result<SearchQuery> parse_search(std::string_view type, const QueryPairs& pairs,
                                       const SearchDemands& demands);

/// The value of `_page` that asks for what follows `place`.
std::string write_place(const SearchPlace& place);

}  // namespace gateway::sync
