#include <algorithm>

#include "core/text.h"
#include "sync/search_date.h"
#include "sync/search_params.h"

namespace gateway::sync {
namespace {

using core::Json;

// A period without an end lasts until a day nobody here will see.
constexpr std::int64_t kOpenLow = -62'135'596'800'000;   // 0001-01-01
constexpr std::int64_t kOpenHigh = 253'402'300'800'000;  // 10000-01-01

std::string cut(std::string_view text) { return std::string(text.substr(0, kSearchTextMax)); }

void gather(const Json& value, std::string_view path, std::vector<const Json*>& found) {
  if (value.is_array()) {
    for (const Json& item : value.items()) gather(item, path, found);
    return;
  }
  if (path.empty()) {
    if (!value.is_null()) found.push_back(&value);
    return;
  }
  const auto dot = path.find('.');
  gather(value[path.substr(0, dot)],
         dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1), found);
}

/// A code, boolean, Coding, CodeableConcept, Identifier or ContactPoint.
void add_token(SearchValues& out, std::string_view param, const Json& value) {
  const auto add = [&](std::string_view code, std::string_view system) {
    if (!code.empty()) out.tokens.emplace(param, cut(code), cut(system));
  };
  if (value.is_string()) return add(value.text(), "");
  if (value.is_bool()) return add(value.boolean() ? "true" : "false", "");
  for (const Json& coding : value["coding"].items()) {
    add(coding["code"].text(), coding["system"].text());
  }
  add(value["code"].text(), value["system"].text());
  // A ContactPoint's system says phone or email: no namespace, yet what one would ask by.
  add(value["value"].text(), value["system"].text());
}

/// A text, or every text within a HumanName or Address.
void add_strings(SearchValues& out, std::string_view param, const Json& value) {
  if (value.is_string()) {
    const std::string folded = cut(core::fold(value.text()));
    if (folded.empty()) return;
    out.strings.emplace(param, folded);
    out.exact.emplace(param, cut(value.text()));
    return;
  }
  for (const auto& [name, member] : value.members()) {
    if (name == "use" || name == "type" || name == "period" || name == "extension") continue;
    for (const Json& item : member.items()) add_strings(out, param, item);
    if (member.is_string()) add_strings(out, param, member);
  }
}

/// A date, dateTime, instant or Period.
void add_date(SearchValues& out, std::string_view param, const Json& value) {
  if (value.is_string()) {
    if (const auto span = time_span(value.text())) out.dates.emplace(param, span->low, span->high);
    return;
  }
  const auto start = time_span(value["start"].text());
  const auto end = time_span(value["end"].text());
  if (!start && !end) return;
  out.dates.emplace(param, start ? start->low : kOpenLow, end ? end->high : kOpenHigh);
}

void add_reference(SearchValues& out, std::string_view param, const Json& value) {
  std::string_view target = value["reference"].text();
  // What lies inside the resource itself, or is yet to get an id, is nobody's to find.
  if (target.empty() || target.front() == '#') return;
  target = target.substr(0, target.find("/_history/"));
  out.references.emplace(param, cut(target));
}

/// Whether one of a choice ("deceased[x]") is there, and not false.
bool holds_choice(const Json& resource, std::string_view path) {
  const std::string_view name = path.substr(0, path.find('['));
  return std::any_of(resource.members().begin(), resource.members().end(),
                     [&](const Json::Member& member) {
                       return member.first.size() > name.size() && member.first.starts_with(name) &&
                              member.second != Json(false);
                     });
}

}  // namespace

std::string exact_rows_of(std::string_view param) { return core::cat(param, ":exact"); }

std::vector<const Json*> values_at(const Json& resource, std::string_view path) {
  std::vector<const Json*> found;
  while (!path.empty()) {
    const auto bar = path.find('|');
    gather(resource, path.substr(0, bar), found);
    path = bar == std::string_view::npos ? std::string_view() : path.substr(bar + 1);
  }
  return found;
}

SearchValues search_values(std::string_view type, const Json& resource) {
  SearchValues out;
  if (!resource.is_object()) return out;
  for (const SearchParam& param : search_params_of(type)) {
    if (!param.indexed_as.empty()) continue;
    if (param.path.ends_with("[x]")) {
      add_token(out, param.name, holds_choice(resource, param.path) ? "true" : "false");
      continue;
    }
    for (const Json* value : values_at(resource, param.path)) {
      switch (param.kind) {
        case SearchKind::token:
          add_token(out, param.name, *value);
          break;
        case SearchKind::string:
          add_strings(out, param.name, *value);
          break;
        case SearchKind::date:
          add_date(out, param.name, *value);
          break;
        case SearchKind::reference:
          add_reference(out, param.name, *value);
          break;
      }
    }
  }
  return out;
}

}  // namespace gateway::sync
