#include "sync/search_index.h"

#include <algorithm>
#include <string>
#include <vector>

#include "sync/search_params.h"

namespace gateway::sync {
namespace {

using core::Json;
using crypto::Connection;

constexpr int kStep = 2'000;

/// What is in `a` and not in `b`.
template <class Set, class Body>
core::Status for_each_missing(const Set& a, const Set& b, Body body) {
  for (const auto& value : a) {
    if (!b.contains(value)) GW_CHECK(body(value));
  }
  return {};
}

core::Status remove_rows(Connection& connection, const ResourceKey& key, const SearchValues& old,
                         const SearchValues& now) {
  GW_CHECK(for_each_missing(old.tokens, now.tokens, [&](const auto& row) {
    return connection.run(
        "DELETE FROM search_token WHERE type = ? AND param = ? AND code = ? AND system = ?"
        " AND id = ?",
        key.type, std::get<0>(row), std::get<1>(row), std::get<2>(row), key.id);
  }));
  const auto remove_string = [&](std::string_view param, const std::string& value) {
    return connection.run(
        "DELETE FROM search_string WHERE type = ? AND param = ? AND value = ? AND id = ?", key.type,
        param, value, key.id);
  };
  GW_CHECK(for_each_missing(old.strings, now.strings, [&](const auto& row) {
    return remove_string(std::get<0>(row), std::get<1>(row));
  }));
  GW_CHECK(for_each_missing(old.exact, now.exact, [&](const auto& row) {
    return remove_string(exact_rows_of(std::get<0>(row)), std::get<1>(row));
  }));
  GW_CHECK(for_each_missing(old.dates, now.dates, [&](const auto& row) {
    return connection.run(
        "DELETE FROM search_date WHERE type = ? AND param = ? AND low = ? AND high = ? AND id = ?",
        key.type, std::get<0>(row), std::get<1>(row), std::get<2>(row), key.id);
  }));
  return for_each_missing(old.references, now.references, [&](const auto& row) {
    return connection.run(
        "DELETE FROM search_reference WHERE target = ? AND type = ? AND param = ? AND id = ?",
        std::get<1>(row), key.type, std::get<0>(row), key.id);
  });
}

core::Status add_rows(Connection& connection, const ResourceKey& key, const SearchValues& old,
                      const SearchValues& now) {
  GW_CHECK(for_each_missing(now.tokens, old.tokens, [&](const auto& row) {
    return connection.run(
        "INSERT OR IGNORE INTO search_token (type, param, code, system, id) VALUES (?, ?, ?, ?, ?)",
        key.type, std::get<0>(row), std::get<1>(row), std::get<2>(row), key.id);
  }));
  const auto add_string = [&](std::string_view param, const std::string& value) {
    return connection.run(
        "INSERT OR IGNORE INTO search_string (type, param, value, id) VALUES (?, ?, ?, ?)",
        key.type, param, value, key.id);
  };
  GW_CHECK(for_each_missing(now.strings, old.strings, [&](const auto& row) {
    return add_string(std::get<0>(row), std::get<1>(row));
  }));
  GW_CHECK(for_each_missing(now.exact, old.exact, [&](const auto& row) {
    return add_string(exact_rows_of(std::get<0>(row)), std::get<1>(row));
  }));
  GW_CHECK(for_each_missing(now.dates, old.dates, [&](const auto& row) {
    return connection.run(
        "INSERT OR IGNORE INTO search_date (type, param, low, high, id) VALUES (?, ?, ?, ?, ?)",
        key.type, std::get<0>(row), std::get<1>(row), std::get<2>(row), key.id);
  }));
  return for_each_missing(now.references, old.references, [&](const auto& row) {
    return connection.run(
        "INSERT OR IGNORE INTO search_reference (target, type, param, id) VALUES (?, ?, ?, ?)",
        std::get<1>(row), key.type, std::get<0>(row), key.id);
  });
}

/// The next resources after `last`; moves it. Answers how many there were.
core::Result<int> index_step(Connection& connection, ResourceKey& last) {
  std::vector<std::pair<ResourceKey, std::string>> held;
  {
    GW_TRY(auto rows,
           connection.query("SELECT r.type, r.id, v.body FROM resource r JOIN resource_version v"
                            " ON v.type = r.type AND v.id = r.id AND v.version = r.version"
                            " WHERE (r.type, r.id) > (?, ?) AND r.deleted = 0"
                            " ORDER BY r.type, r.id LIMIT ?",
                            last.type, last.id, kStep));
    while (true) {
      GW_TRY(const bool more, rows.next());
      if (!more) break;
      held.emplace_back(ResourceKey{std::string(rows.text(0)), std::string(rows.text(1))},
                        std::string(rows.text(2)));
    }
  }
  for (const auto& [key, text] : held) {
    GW_TRY(const Json body, Json::parse(text));
    GW_CHECK(index_resource(connection, key, Json(), body));
    last = key;
  }
  return static_cast<int>(held.size());
}

core::Status forget_all(Connection& connection) {
  for (const char* sql : {"DELETE FROM search_token", "DELETE FROM search_string",
                          "DELETE FROM search_date", "DELETE FROM search_reference"}) {
    GW_CHECK(connection.run(sql));
  }
  return {};
}

}  // namespace

core::Status index_resource(Connection& connection, const ResourceKey& key, const Json& before,
                            const Json& after) {
  const SearchValues old = search_values(key.type, before);
  const SearchValues now = search_values(key.type, after);
  GW_CHECK(remove_rows(connection, key, old, now));
  return add_rows(connection, key, old, now);
}

core::Status refresh_search_index(crypto::Database& database) {
  GW_TRY(const auto made_with,
         database.read_value<std::optional<std::int64_t>>([](Connection& connection) {
           return connection.integer("SELECT parameters FROM search_state");
         }));
  if (made_with == kSearchParametersVersion) return {};
  GW_CHECK(database.write(forget_all));
  ResourceKey last;
  for (int count = kStep; count == kStep;) {
    GW_CHECK(database.write([&](Connection& connection) -> core::Status {
      GW_TRY(count, index_step(connection, last));
      return {};
    }));
  }
  return database.write([](Connection& connection) {
    return connection.run("INSERT OR REPLACE INTO search_state (id, parameters) VALUES (1, ?)",
                          kSearchParametersVersion);
  });
}

}  // namespace gateway::sync
