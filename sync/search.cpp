#include "sync/search.h"

#include <algorithm>
#include <deque>
#include <variant>

#include "core/text.h"
#include "sync/search_date.h"

namespace gateway::sync {
namespace {

using core::cat;
using crypto::Bind;
using crypto::Connection;

// What a resource without the sorted value is sorted as: after all others either way.
constexpr std::int64_t kNoDateAscending = INT64_MAX;
constexpr std::int64_t kNoDateDescending = INT64_MIN;
constexpr char kNoTextAscending[] = "\xf4\x8f\xbf\xbf";

/// A statement put together piece by piece; values are always bound.
class Statement {
 public:
  Statement& add(std::string_view sql) {
    sql_ += sql;
    return *this;
  }
  Statement& bind(std::string text) {
    texts_.push_back(std::move(text));
    binds_.emplace_back(std::string_view(texts_.back()));
    sql_ += '?';
    return *this;
  }
  Statement& bind(std::string_view text) { return bind(std::string(text)); }
  Statement& bind(std::int64_t number) {
    binds_.emplace_back(number);
    sql_ += '?';
    return *this;
  }
  core::Result<crypto::Rows> run(Connection& connection) const {
    return connection.query_list(sql_, binds_);
  }

 private:
  std::string sql_;
  std::deque<std::string> texts_;  // stays where it is
  std::vector<Bind> binds_;
};

template <class Body>
void add_alternatives(Statement& out, const std::vector<SearchValue>& values, Body body) {
  out.add("(");
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out.add(" OR ");
    body(values[i]);
  }
  if (values.empty()) out.add("0");
  out.add(")");
}

void add_token_match(Statement& out, const SearchValue& value) {
  if (value.any_code) {
    out.add("system = ").bind(value.system);
    return;
  }
  out.add("(code = ").bind(value.text);
  if (!value.any_system) out.add(" AND system = ").bind(value.system);
  out.add(")");
}

void add_string_match(Statement& out, const SearchValue& value, const Criterion& criterion) {
  if (criterion.exact) {
    out.add("value = ").bind(value.text);
    return;
  }
  if (criterion.contains) {
    out.add("instr(value, ").bind(value.text).add(") > 0");
    return;
  }
  // The first text after all that begin so: no folded text holds this character.
  out.add("(value >= ").bind(value.text).add(" AND value < ");
  out.bind(value.text + kNoTextAscending).add(")");
}

/// R4 3.1.1.4.7, where [low, high) of the row is the resource's span.
void add_span_match(Statement& out, DatePrefix prefix, const TimeSpan& value) {
  const auto within = [&] {
    out.add("(low >= ").bind(value.low).add(" AND high <= ").bind(value.high).add(")");
  };
  switch (prefix) {
    case DatePrefix::eq:
      return within();
    case DatePrefix::ne:
      out.add("NOT ");
      return within();
    case DatePrefix::gt:
      out.add("high > ").bind(value.high);
      return;
    case DatePrefix::lt:
      out.add("low < ").bind(value.low);
      return;
    case DatePrefix::ge:
      out.add("(high > ").bind(value.high).add(" OR ");
      within();
      out.add(")");
      return;
    case DatePrefix::le:
      out.add("(low < ").bind(value.low).add(" OR ");
      within();
      out.add(")");
      return;
    case DatePrefix::sa:
      out.add("low >= ").bind(value.high);
      return;
    case DatePrefix::eb:
      out.add("high <= ").bind(value.low);
      return;
  }
}

/// A resource's day has no zone, and the index has it as UTC's: asked for as a day it is that day
/// wherever the site is. Its bounds tell it from a time.
void add_date_match(Statement& out, const SearchValue& value) {
  if (value.span.low == value.days.low && value.span.high == value.days.high)
    return add_span_match(out, value.prefix, value.span);
  // What either reading is within, so that the index is not read as a whole.
  const DatePrefix prefix = value.prefix;
  const bool eq = prefix == DatePrefix::eq;
  if (eq || prefix == DatePrefix::sa)
    out.add("low >= ").bind(std::min(value.span.low, value.days.low)).add(" AND ");
  if (eq || prefix == DatePrefix::lt || prefix == DatePrefix::le || prefix == DatePrefix::eb)
    out.add("low < ").bind(std::max(value.span.high, value.days.high)).add(" AND ");
  out.add("CASE WHEN low % 86400000 = 0 AND high % 86400000 = 0 THEN ");
  add_span_match(out, prefix, value.days);
  out.add(" ELSE ");
  add_span_match(out, prefix, value.span);
  out.add(" END");
}

void add_updated_match(Statement& out, const SearchValue& value) {
  const std::string low = instant_text(value.span.low);
  const std::string high = instant_text(value.span.high);
  switch (value.prefix) {
    case DatePrefix::eq:
      out.add("(r.at >= ").bind(low).add(" AND r.at < ").bind(high).add(")");
      return;
    case DatePrefix::ne:
      out.add("(r.at < ").bind(low).add(" OR r.at >= ").bind(high).add(")");
      return;
    case DatePrefix::gt:
    case DatePrefix::sa:
      out.add("r.at >= ").bind(high);
      return;
    case DatePrefix::ge:
      out.add("r.at >= ").bind(low);
      return;
    case DatePrefix::lt:
    case DatePrefix::eb:
      out.add("r.at < ").bind(low);
      return;
    case DatePrefix::le:
      out.add("r.at < ").bind(high);
      return;
  }
}

std::string_view table_of(SearchKind kind) {
  switch (kind) {
    case SearchKind::token:
      return "search_token";
    case SearchKind::string:
      return "search_string";
    case SearchKind::date:
      return "search_date";
    case SearchKind::reference:
      return "search_reference";
  }
  return "search_token";
}

void add_id_rows(Statement& out, std::string_view type, const Criterion& criterion,
                 std::string_view prefix);

/// The rows of the index that satisfy the criterion, as what follows WHERE.
void add_row_match(Statement& out, std::string_view type, const Criterion& criterion) {
  const SearchParam& param = *criterion.param;
  out.add("type = ").bind(type).add(" AND param = ");
  out.bind(criterion.exact ? exact_rows_of(param.index_name()) : std::string(param.index_name()));
  if (criterion.any_value) {
    // `patient` reads the rows of `subject`, which may be another's.
    if (!param.indexed_as.empty()) {
      out.add(" AND target >= ").bind(cat(param.targets, '/'));
      out.add(" AND target < ").bind(cat(param.targets, static_cast<char>('/' + 1)));
    }
    return;
  }
  out.add(" AND ");
  if (criterion.chain) {
    out.add("target IN (");
    add_id_rows(out, criterion.chain_type, *criterion.chain, cat(criterion.chain_type, '/'));
    out.add(")");
    return;
  }
  add_alternatives(out, criterion.values, [&](const SearchValue& value) {
    switch (param.kind) {
      case SearchKind::token:
        return add_token_match(out, value);
      case SearchKind::string:
        return add_string_match(out, value, criterion);
      case SearchKind::date:
        return add_date_match(out, value);
      case SearchKind::reference:
        break;
    }
    out.add("target IN (");
    for (std::size_t i = 0; i < value.targets.size(); ++i) {
      out.add(i > 0 ? ", " : "").bind(value.targets[i]);
    }
    out.add(")");
  });
}

/// SELECT of the ids that satisfy it, each with `prefix` before it.
void add_id_rows(Statement& out, std::string_view type, const Criterion& criterion,
                 std::string_view prefix) {
  out.add("SELECT ").bind(prefix).add(" || id FROM ");
  if (criterion.over == Criterion::Over::param) {
    out.add(table_of(criterion.param->kind)).add(" WHERE ");
    add_row_match(out, type, criterion);
    return;
  }
  out.add("resource r WHERE r.type = ").bind(type).add(" AND r.deleted = 0 AND ");
  add_alternatives(out, criterion.values, [&](const SearchValue& value) {
    if (criterion.over == Criterion::Over::last_updated) return add_updated_match(out, value);
    out.add("r.id = ").bind(value.text);
  });
}

/// How few resources a criterion is likely to leave; the first is found by the index, the others
/// are looked up for each that it finds. Nothing: it cannot lead.
std::optional<int> leading_rank(const Criterion& criterion) {
  if (criterion.over == Criterion::Over::id) return 0;
  if (criterion.over == Criterion::Over::last_updated || criterion.negated) return std::nullopt;
  if (criterion.any_value) return 8;
  const auto any_code = [](const SearchValue& value) { return value.any_code; };
  switch (criterion.param->kind) {
    case SearchKind::reference:
      return 2;
    case SearchKind::token:
      if (std::any_of(criterion.values.begin(), criterion.values.end(), any_code)) return 8;
      return criterion.param->name == "identifier" ? 1 : 5;
    case SearchKind::string:
      return criterion.contains ? 7 : 3;
    case SearchKind::date:
      return 6;
  }
  return std::nullopt;
}

const Criterion* leading(const SearchQuery& query) {
  const Criterion* best = nullptr;
  for (const Criterion& criterion : query.criteria) {
    const auto rank = leading_rank(criterion);
    if (rank && (!best || *rank < *leading_rank(*best))) best = &criterion;
  }
  return best;
}

void add_criterion(Statement& out, const SearchQuery& query, const Criterion& criterion,
                   bool leads) {
  if (criterion.over == Criterion::Over::last_updated) {
    add_alternatives(out, criterion.values,
                     [&](const SearchValue& value) { add_updated_match(out, value); });
    return;
  }
  if (criterion.over == Criterion::Over::id) {
    out.add("r.id IN (");
    for (std::size_t i = 0; i < criterion.values.size(); ++i)
      out.add(i > 0 ? ", " : "").bind(criterion.values[i].text);
    out.add(")");
    return;
  }
  const std::string_view table = table_of(criterion.param->kind);
  // Texts, and what has any value, have no quick look-up by resource: their ids are gathered once.
  if (leads || criterion.any_value || criterion.param->kind == SearchKind::string) {
    out.add(criterion.negated ? "r.id NOT IN (" : "r.id IN (");
    out.add("SELECT id FROM ").add(table).add(" WHERE ");
    add_row_match(out, query.type, criterion);
    out.add(")");
    return;
  }
  out.add(criterion.negated ? "NOT EXISTS" : "EXISTS").add(" (SELECT 1 FROM ").add(table);
  out.add(" WHERE id = r.id AND ");
  add_row_match(out, query.type, criterion);
  out.add(")");
}

/// The rows of the index are of live resources only: where one of its tables leads, the resources'
/// own table need not be looked at, unless for its time.
bool leads_alone(const SearchQuery& query) {
  const Criterion* first = leading(query);
  const auto over_time = [](const Criterion& criterion) {
    return criterion.over == Criterion::Over::last_updated;
  };
  const auto by_time = [](const SearchSort& sort) {
    return sort.by == SearchSort::By::last_updated;
  };
  return first && first->over == Criterion::Over::param &&
         std::none_of(query.sorts.begin(), query.sorts.end(), by_time) &&
         std::none_of(query.criteria.begin(), query.criteria.end(), over_time);
}

/// What follows FROM, but for the page.
void add_matches(Statement& out, const SearchQuery& query) {
  const Criterion* first = leading(query);
  const bool alone = leads_alone(query);
  if (alone) {
    out.add(" FROM (SELECT DISTINCT id FROM ").add(table_of(first->param->kind)).add(" WHERE ");
    add_row_match(out, query.type, *first);
    out.add(") r WHERE 1");
  } else {
    out.add(" FROM resource r WHERE r.type = ").bind(query.type).add(" AND r.deleted = 0");
  }
  for (const Criterion& criterion : query.criteria) {
    if (alone && &criterion == first) continue;
    out.add(" AND ");
    add_criterion(out, query, criterion, &criterion == first);
  }
}

bool sorts_numbers(const SearchSort& sort) {
  return sort.by == SearchSort::By::param && sort.param->kind == SearchKind::date;
}

void add_sort_key(Statement& out, const SearchQuery& query, const SearchSort& sort) {
  if (sort.by == SearchSort::By::id) {
    out.add("r.id");
  } else if (sort.by == SearchSort::By::last_updated) {
    // With a criterion that leads, the plus keeps SQLite from reading the whole type in this order.
    out.add(leading(query) ? "+r.at" : "r.at");
  } else if (sorts_numbers(sort)) {
    out.add(sort.descending ? "coalesce((SELECT max(high)" : "coalesce((SELECT min(low)");
    out.add(" FROM search_date WHERE type = ").bind(query.type);
    out.add(" AND id = r.id AND param = ").bind(sort.param->index_name()).add("), ");
    out.bind(sort.descending ? kNoDateDescending : kNoDateAscending).add(")");
  } else {
    out.add(sort.descending ? "coalesce((SELECT max(value)" : "coalesce((SELECT min(value)");
    out.add(" FROM search_string WHERE type = ").bind(query.type);
    out.add(" AND param = ").bind(sort.param->index_name()).add(" AND id = r.id), ");
    out.bind(sort.descending ? std::string_view() : kNoTextAscending).add(")");
  }
}

core::Result<std::int64_t> count_matches(Connection& connection, const SearchQuery& query) {
  Statement sql;
  sql.add("SELECT count(*)");
  add_matches(sql, query);
  GW_TRY(auto rows, sql.run(connection));
  GW_TRY(const bool found, rows.next());
  return found ? rows.integer(0) : 0;
}

core::Result<std::int64_t> number_of(const std::string& text) {
  const auto parsed = core::Json::parse(text);
  const auto number = parsed.ok() ? parsed->integer() : std::nullopt;
  if (!number) {
    return core::Error(core::Code::invalid, "_page is not of a link this server gave; search anew");
  }
  return *number;
}

core::Status add_key(Statement& sql, const SearchSort& sort, const std::string& key) {
  if (!sorts_numbers(sort)) {
    sql.bind(key);
    return {};
  }
  GW_TRY(const std::int64_t number, number_of(key));
  sql.bind(number);
  return {};
}

/// Entries of one place in the sort go by id, in the last key's direction: an index that ends with
/// the id is then read in order.
bool ids_descend(const SearchQuery& query) {
  return !query.sorts.empty() && query.sorts.back().descending;
}

/// What is after `place` by the keys from number `from` on.
core::Status add_after(Statement& sql, const SearchQuery& query, const SearchPlace& place,
                       std::size_t from) {
  if (from == query.sorts.size()) {
    sql.add(ids_descend(query) ? "r.id < " : "r.id > ").bind(place.id);
    return {};
  }
  const SearchSort& sort = query.sorts[from];
  // Said first without the keys after it, which an index can follow.
  add_sort_key(sql, query, sort);
  sql.add(sort.descending ? " <= " : " >= ");
  GW_CHECK(add_key(sql, sort, place.keys[from]));
  sql.add(" AND (");
  add_sort_key(sql, query, sort);
  sql.add(sort.descending ? " < " : " > ");
  GW_CHECK(add_key(sql, sort, place.keys[from]));
  sql.add(" OR (");
  GW_CHECK(add_after(sql, query, place, from + 1));
  sql.add("))");
  return {};
}

core::Status add_page(Statement& sql, const SearchQuery& query) {
  if (query.after) {
    sql.add(" AND (");
    GW_CHECK(add_after(sql, query, *query.after, 0));
    sql.add(")");
  }
  sql.add(" ORDER BY ");
  for (std::size_t i = 0; i < query.sorts.size(); ++i)
    sql.add(std::to_string(i + 2)).add(query.sorts[i].descending ? " DESC, " : ", ");
  sql.add(ids_descend(query) ? "r.id DESC" : "r.id");
  sql.add(" LIMIT ").bind(std::int64_t{query.count} + 1);
  return {};
}

}  // namespace

core::Result<SearchPage> run_search(Connection& connection, const SearchQuery& query) {
  SearchPage page;
  if (query.total || query.count == 0) {
    GW_TRY(page.total, count_matches(connection, query));
  }
  if (query.count == 0) return page;
  Statement sql;
  sql.add("SELECT r.id");
  for (const SearchSort& sort : query.sorts) {
    sql.add(", ");
    add_sort_key(sql, query, sort);
  }
  add_matches(sql, query);
  GW_CHECK(add_page(sql, query));
  GW_TRY(auto rows, sql.run(connection));
  SearchPlace last;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return page;
    if (page.ids.size() == static_cast<std::size_t>(query.count)) {
      page.next = last;
      return page;
    }
    last.id = rows.text(0);
    last.keys.clear();
    for (std::size_t i = 0; i < query.sorts.size(); ++i)
      last.keys.emplace_back(rows.text(static_cast<int>(i) + 1));
    page.ids.push_back(last.id);
  }
}

core::Result<std::vector<std::string>> find_referrers(Connection& connection,
                                                      std::string_view target, int limit,
                                                      std::string_view type) {
  Statement sql;
  sql.add("SELECT DISTINCT type, id FROM search_reference WHERE target = ").bind(target);
  if (!type.empty()) sql.add(" AND type = ").bind(type);
  sql.add(" LIMIT ").bind(std::int64_t{limit});
  GW_TRY(auto rows, sql.run(connection));
  std::vector<std::string> found;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return found;
    found.push_back(cat(rows.text(0), '/', rows.text(1)));
  }
}

}  // namespace gateway::sync
