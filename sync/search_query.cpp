#include "sync/search_query.h"

#include <algorithm>
#include <charconv>

#include "core/net/http.h"
#include "core/text.h"
#include "sync/replica.h"
#include "sync/search_date.h"

namespace gateway::sync {
namespace {

using core::cat;
using core::Code;
using core::Error;

constexpr std::size_t kPairsMax = 100;
constexpr std::size_t kValuesMax = 100;  // of all parameters together
constexpr std::size_t kIncludesMax = 20;

// They shape the answer, and are looked at where it is made.
constexpr std::string_view kShaping[] = {"_format", "_pretty"};

/// Parts a list at commas that no backslash stands before.
std::vector<std::string> split_values(std::string_view text, char separator) {
  std::vector<std::string> parts(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      parts.back() += text[i];
      parts.back() += text[++i];
    } else if (text[i] == separator) {
      parts.emplace_back();
    } else {
      parts.back() += text[i];
    }
  }
  return parts;
}

std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    out += text[i];
  }
  return out.substr(0, kSearchTextMax);
}

SearchValue token_value(std::string_view text) {
  SearchValue value;
  auto parts = split_values(text, '|');
  if (parts.size() == 1) {
    value.text = unescape(parts[0]);
    return value;
  }
  value.any_system = false;
  value.system = unescape(parts[0]);
  value.text = unescape(parts[1]);
  value.any_code = value.text.empty();
  return value;
}

core::Result<SearchValue> date_value(std::string_view text, std::string_view zone) {
  static constexpr std::pair<std::string_view, DatePrefix> kPrefixes[] = {
      {"eq", DatePrefix::eq}, {"ne", DatePrefix::ne}, {"gt", DatePrefix::gt},
      {"lt", DatePrefix::lt}, {"ge", DatePrefix::ge}, {"le", DatePrefix::le},
      {"sa", DatePrefix::sa}, {"eb", DatePrefix::eb}};
  SearchValue value;
  std::string_view rest = text;
  for (const auto& [name, prefix] : kPrefixes) {
    if (!text.starts_with(name)) continue;
    value.prefix = prefix;
    rest.remove_prefix(2);
    break;
  }
  const auto span = time_span(rest);
  if (!span) {
    return Error(Code::invalid, cat("\"", text,
                                    "\" is no date; write YYYY-MM-DD or "
                                    "YYYY-MM-DDThh:mm:ss+hh:mm, with eq, ne, gt, lt, "
                                    "ge, le, sa or eb before it"));
  }
  value.days = *span;
  value.span = in_zone(*span, zone);
  return value;
}

core::Result<SearchValue> reference_value(const SearchParam& param, std::string_view type_modifier,
                                          std::string_view text, const std::string& own_base) {
  SearchValue value;
  value.text = unescape(text);
  std::string_view wanted = value.text;
  if (!own_base.empty() && wanted.starts_with(own_base) &&
      wanted.substr(own_base.size()).starts_with('/'))
    wanted.remove_prefix(own_base.size() + 1);
  if (const auto key = parse_reference(wanted)) {
    value.targets = {key->text()};
    return value;
  }
  if (wanted.find('/') != std::string_view::npos) {
    value.targets = {std::string(wanted)};
    return value;
  }
  if (!parse_reference(cat("Any/", wanted))) {
    return Error(Code::invalid, cat("\"", text, "\" is no reference; write Type/id or an id"));
  }
  if (!type_modifier.empty()) {
    value.targets = {cat(type_modifier, '/', wanted)};
    return value;
  }
  for (const std::string& target : split_values(param.targets, ',')) {
    if (!target.empty()) value.targets.push_back(cat(target, '/', wanted));
  }
  if (value.targets.empty()) {
    for (const std::string_view target : searchable_types())
      value.targets.push_back(cat(target, '/', wanted));
  }
  return value;
}

Error unknown_modifier(std::string_view name, std::string_view modifier) {
  return {Code::invalid, cat("parameter ", name, " has no modifier :", modifier, " here")};
}

bool is_target(const SearchParam& param, std::string_view type) {
  const auto targets = split_values(param.targets, ',');
  return param.targets.empty() || std::find(targets.begin(), targets.end(), type) != targets.end();
}

/// What stands left of '=': name[:modifier][.chained].
struct ParamName {
  std::string_view name, modifier, chained;
};
ParamName take_apart(std::string_view text) {
  ParamName out;
  const auto dot = text.find('.');
  if (dot != std::string_view::npos) {
    out.chained = text.substr(dot + 1);
    text = text.substr(0, dot);
  }
  const auto colon = text.find(':');
  out.name = text.substr(0, colon);
  if (colon != std::string_view::npos) out.modifier = text.substr(colon + 1);
  return out;
}

class Parser {
 public:
  Parser(std::string_view type, const SearchDemands& demands) : demands_(demands) {
    query_.type = type;
  }

  core::Result<SearchQuery> parse(const QueryPairs& pairs) {
    for (const auto& [name, value] : pairs) GW_CHECK(take(name, value));
    if (counts_only_) query_.count = 0;
    if (query_.after && query_.after->keys.size() != query_.sorts.size()) return foreign_place();
    return std::move(query_);
  }

 private:
  core::Status take(const std::string& name, const std::string& value) {
    if (std::find(std::begin(kShaping), std::end(kShaping), name) != std::end(kShaping)) return {};
    // An empty value asks for nothing (R4 3.1.1.3).
    if (value.empty()) return {};
    GW_TRY(const bool known, dispatch(name, value));
    if (known) {
      if (name != "_page") query_.used.emplace_back(name, value);
      return {};
    }
    if (demands_.strict) {
      return Error(Code::invalid, cat("the parameter ", name, " of ", query_.type,
                                      " is not known here; see the CapabilityStatement"));
    }
    query_.ignored.push_back(name);
    return {};
  }

  core::Result<bool> dispatch(const std::string& name, const std::string& value) {
    if (name == "_count") return take_count(value);
    if (name == "_sort") return take_sort(value);
    if (name == "_page") return take_place(value);
    if (name == "_total") {
      query_.total = value == "accurate";
      return true;
    }
    if (name == "_summary") {
      if (value != "count") return value == "false";
      counts_only_ = true;
      return true;
    }
    if (name == "_include") return take_include(value);
    return take_criterion(name, value);
  }

  core::Result<bool> take_count(const std::string& value) {
    int count = 0;
    const auto [end, code] = std::from_chars(value.data(), value.data() + value.size(), count);
    if (code != std::errc() || end != value.data() + value.size() || count < 0) {
      return Error(Code::invalid, "_count must be a whole number of 0 or more");
    }
    query_.count = std::min(count, kSearchCountMax);
    return true;
  }

  core::Result<bool> take_sort(std::string_view value) {
    std::vector<SearchSort> sorts;
    for (const std::string& name : split_values(value, ',')) {
      const auto sort = sort_of(name);
      if (!sort || sorts.size() == kSearchSortsMax) return false;
      sorts.push_back(*sort);
    }
    query_.sorts = std::move(sorts);
    return true;
  }

  std::optional<SearchSort> sort_of(std::string_view name) const {
    SearchSort sort;
    if (name.starts_with('-')) {
      sort.descending = true;
      name.remove_prefix(1);
    }
    if (name == "_id") return sort;
    if (name == "_lastUpdated") {
      sort.by = SearchSort::By::last_updated;
      return sort;
    }
    sort.by = SearchSort::By::param;
    sort.param = find_search_param(query_.type, name);
    if (!sort.param) return std::nullopt;
    if (sort.param->kind != SearchKind::date && sort.param->kind != SearchKind::string)
      return std::nullopt;
    return sort;
  }

  static Error foreign_place() {
    return {Code::invalid, "_page is not of a link this server gave; search anew"};
  }

  core::Result<bool> take_place(const std::string& value) {
    auto parsed = core::Json::parse(value);
    if (!parsed.ok() || parsed->items().empty()) return foreign_place();
    SearchPlace place;
    for (const core::Json& part : parsed->items()) {
      if (!part.is_string()) return foreign_place();
      place.keys.emplace_back(part.text());
    }
    place.id = std::move(place.keys.back());
    place.keys.pop_back();
    if (!parse_reference(cat("Any/", place.id))) return foreign_place();
    query_.after = std::move(place);
    return true;
  }

  core::Result<bool> take_include(std::string_view value) {
    const auto parts = split_values(value, ':');
    if (parts.size() < 2 || parts[0] != query_.type || query_.includes.size() >= kIncludesMax)
      return false;
    const SearchParam* param = find_search_param(query_.type, parts[1]);
    if (!param || param->kind != SearchKind::reference) return false;
    std::string target = parts.size() > 2 ? parts[2] : std::string();
    if (target.empty() && param->targets.find(',') == std::string_view::npos)
      target = std::string(param->targets);
    query_.includes.push_back({param, std::move(target)});
    return true;
  }

  core::Result<bool> take_criterion(const std::string& name, const std::string& value) {
    auto made = criterion(query_.type, name, value, true);
    if (!made.ok()) return std::move(made).error().with_context(name);
    if (!*made) return false;
    query_.criteria.push_back(std::move(**made));
    return true;
  }

  /// Nothing: no such parameter.
  core::Result<std::optional<Criterion>> criterion(std::string_view type, std::string_view name,
                                                   std::string_view text, bool may_chain) {
    const ParamName parts = take_apart(name);
    Criterion out;
    if (parts.name == "_id") {
      out.over = Criterion::Over::id;
    } else if (parts.name == "_lastUpdated") {
      out.over = Criterion::Over::last_updated;
    } else {
      out.param = find_search_param(type, parts.name);
      if (!out.param) return std::optional<Criterion>();
    }
    if (!parts.chained.empty()) {
      if (!may_chain) return Error(Code::invalid, "only one step of a chain is followed here");
      GW_CHECK(fill_chain(out, parts, text));
      return std::optional<Criterion>(std::move(out));
    }
    GW_TRY(const std::string_view type_modifier, apply_modifier(out, parts));
    if (out.any_value) {
      if (text != "true" && text != "false")
        return Error(Code::invalid, "what is :missing is true or false");
      out.negated = text == "true";
      return std::optional<Criterion>(std::move(out));
    }
    const auto texts = split_values(text, ',');
    values_ += texts.size();
    if (values_ > kValuesMax) {
      return Error(Code::invalid, cat("more than ", kValuesMax, " values; ask in parts"));
    }
    for (const std::string& one : texts) {
      if (one.empty()) continue;
      GW_TRY(SearchValue value, read_value(out, type_modifier, one));
      out.values.push_back(std::move(value));
    }
    return std::optional<Criterion>(std::move(out));
  }

  core::Status fill_chain(Criterion& out, const ParamName& parts, std::string_view text) {
    if (!out.param || out.param->kind != SearchKind::reference)
      return Error(Code::invalid, cat(parts.name, " is no reference: nothing follows it"));
    out.chain_type =
        parts.modifier.empty() ? std::string(out.param->targets) : std::string(parts.modifier);
    if (out.chain_type.find(',') != std::string::npos || out.chain_type.empty() ||
        !is_target(*out.param, out.chain_type)) {
      return Error(Code::invalid, cat("say of which type it is: ", parts.name, ":Patient.",
                                      parts.chained, " (one of ", out.param->targets, ")"));
    }
    GW_TRY(auto inner, criterion(out.chain_type, parts.chained, text, false));
    if (!inner) {
      return Error(Code::invalid,
                   cat(out.chain_type, " has no parameter ", parts.chained, " here"));
    }
    if (inner->negated) {
      return Error(Code::invalid,
                   "a chain cannot end in :not or :missing=true here; search the other type first");
    }
    out.chain = std::make_shared<const Criterion>(std::move(*inner));
    return {};
  }

  /// Answers the type a reference's modifier names.
  core::Result<std::string_view> apply_modifier(Criterion& out, const ParamName& parts) {
    if (parts.modifier.empty()) return std::string_view();
    if (!out.param) return unknown_modifier(parts.name, parts.modifier);
    const SearchKind kind = out.param->kind;
    if (kind == SearchKind::token && parts.modifier == "not") {
      out.negated = true;
      return std::string_view();
    }
    if (kind == SearchKind::string && parts.modifier == "contains") {
      out.contains = true;
      return std::string_view();
    }
    if (kind == SearchKind::string && parts.modifier == "exact") {
      out.exact = true;
      return std::string_view();
    }
    if (parts.modifier == "missing") {
      out.any_value = true;
      return std::string_view();
    }
    if (kind == SearchKind::reference && is_target(*out.param, parts.modifier) &&
        parse_reference(cat(parts.modifier, "/1"))) {
      return parts.modifier;
    }
    return unknown_modifier(parts.name, parts.modifier);
  }

  core::Result<SearchValue> read_value(const Criterion& criterion, std::string_view type_modifier,
                                       const std::string& text) {
    SearchValue value;
    if (criterion.over == Criterion::Over::id) {
      value.text = unescape(text);
      return value;
    }
    if (criterion.over == Criterion::Over::last_updated) return date_value(text, demands_.zone);
    switch (criterion.param->kind) {
      case SearchKind::token:
        return token_value(text);
      case SearchKind::date:
        return date_value(text, demands_.zone);
      case SearchKind::reference:
        return reference_value(*criterion.param, type_modifier, text, demands_.own_base);
      case SearchKind::string:
        break;
    }
    value.text = criterion.exact ? unescape(text) : core::fold(unescape(text));
    return value;
  }

  const SearchDemands& demands_;
  SearchQuery query_;
  bool counts_only_ = false;  // _summary=count, whatever _count says
  std::size_t values_ = 0;
};

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      const std::string byte = core::from_hex(text.substr(i + 1, 2));
      if (byte.size() != 1 || byte[0] == '\0') return std::nullopt;
      out += byte;
      i += 2;
    }
  }
  return out;
}

}  // namespace

core::Result<QueryPairs> parse_query_pairs(std::string_view query) {
  QueryPairs pairs;
  while (!query.empty()) {
    const auto end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    auto name = percent_decoded(pair.substr(0, equals));
    auto value = percent_decoded(equals == std::string_view::npos ? std::string_view()
                                                                  : pair.substr(equals + 1));
    if (!name || !value) return Error(Code::invalid, "the query holds a broken % escape");
    if (pairs.size() >= kPairsMax) {
      return Error(Code::invalid, cat("the query has more than ", kPairsMax, " parameters"));
    }
    pairs.emplace_back(std::move(*name), std::move(*value));
  }
  return pairs;
}

std::string write_query_pairs(const QueryPairs& pairs) {
  std::string out;
  for (const auto& [name, value] : pairs) {
    out +=
        cat(out.empty() ? "" : "&", core::net::url_encode(name), '=', core::net::url_encode(value));
  }
  return out;
}

core::Result<SearchQuery> parse_search(std::string_view type, const QueryPairs& pairs,
                                       const SearchDemands& demands) {
  return Parser(type, demands).parse(pairs);
}

std::string write_place(const SearchPlace& place) {
  core::Json parts = core::Json::array();
  for (const std::string& key : place.keys) parts.add(key);
  parts.add(place.id);
  return parts.dump();
}

}  // namespace gateway::sync
