#include "sync/fhir_inventory.h"

#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "core/civil_time.h"
#include "core/text.h"
#include "sync/fhir_deletions.h"
#include "sync/pull_state.h"
#include "sync/server_ids.h"

namespace gateway::sync {
namespace {

using core::Json;
using core::net::Awaitable;
using crypto::Connection;

constexpr auto kEvery = std::chrono::hours(24);
constexpr int kPagesMax = 10'000;  // a server whose next links run in circles
constexpr std::size_t kReadsMax = 1'000;

std::string_view type_of(std::string_view query) { return query.substr(0, query.find('?')); }

/// The name of its cursor: when it was taken last.
std::string cursor_of(std::string_view query) { return core::cat(query, " inventory"); }

bool is_due(const std::string& last, const std::string& until) {
  const auto from = core::parse_instant(last);
  const auto to = core::parse_instant(until);
  return !from || (to && *to - *from >= kEvery);
}

using Listed = std::optional<std::set<std::string>>;

/// Everything the query matches, as the server names it; nothing: it did not answer to the end.
Awaitable<core::Result<Listed>> listed(const Pulling& pulling, std::string query) {
  std::set<std::string> there;
  std::string target =
      core::cat("/", query, query.find('?') == query.npos ? "?" : "&", "_elements=id&_count=500");
  for (int pages = 0; !target.empty(); ++pages) {
    if (pages == kPagesMax) co_return Listed();
    auto answer = co_await pulling.endpoint.page(target);
    if (!answer.ok()) co_return std::move(answer).error();
    if (!answer->not_serving.empty())
      co_return core::Error(core::Code::unavailable, answer->not_serving);
    if (answer->status != 200 || answer->body["resourceType"].text() != "Bundle")
      co_return Listed();
    for (const Json& entry : answer->body["entry"].items()) {
      const Json& resource = entry["resource"];
      there.insert(core::cat(resource["resourceType"].text(), "/", resource["id"].text()));
    }
    auto next = next_page(answer->body);
    if (!next.ok()) co_return std::move(next).error();
    target = std::move(*next);
  }
  co_return Listed(std::move(there));
}

struct Missing {
  ResourceKey ours;
  ResourceKey theirs;
};

core::Result<std::vector<Missing>> missing_of(Connection& connection, const std::string& uplink,
                                              const std::string& type,
                                              const std::set<std::string>& there) {
  GW_TRY(auto rows, connection.query("SELECT b.id, coalesce(s.server_id, b.id) FROM resource_base b"
                                     " JOIN resource r ON r.type = b.type AND r.id = b.id"
                                     " LEFT JOIN server_id s ON s.uplink = b.uplink AND"
                                     " s.type = b.type AND s.id = b.id"
                                     " WHERE b.uplink = ? AND b.type = ? AND r.deleted = 0"
                                     " ORDER BY random()",
                                     uplink, type));
  std::vector<Missing> missing;
  while (missing.size() < kReadsMax) {
    GW_TRY(const bool more, rows.next());
    if (!more) break;
    Missing one{{type, std::string(rows.text(0))}, {type, std::string(rows.text(1))}};
    if (!there.contains(one.theirs.text())) missing.push_back(std::move(one));
  }
  return missing;
}

}  // namespace

Awaitable<core::Result<bool>> take_inventory(const Pulling& pulling, std::string query,
                                             std::string until) {
  const std::string type(type_of(query));
  const std::string cursor = cursor_of(query);
  auto last = pulling.holdings.database().read_value<std::string>(
      [&](Connection& connection) { return saved_cursor(connection, pulling.uplink, cursor); });
  if (!last.ok()) co_return std::move(last).error();
  if (!is_due(*last, until)) co_return true;
  std::string asked = query;
  auto there = co_await listed(pulling, std::move(asked));
  if (!there.ok()) co_return std::move(there).error();
  if (!*there) co_return true;
  auto missing =
      pulling.holdings.database().read_value<std::vector<Missing>>([&](Connection& connection) {
        return missing_of(connection, pulling.uplink, type, **there);
      });
  if (!missing.ok()) co_return std::move(missing).error();
  bool crossed = false;
  for (Missing& one : *missing) {
    auto applied = co_await confirm_deletion(pulling, std::move(one.ours), std::move(one.theirs));
    if (!applied.ok()) co_return std::move(applied).error();
    crossed |= *applied == Applied::crossed;
  }
  if (crossed) co_return false;
  GW_CO_CHECK(co_await save_cursor(pulling, cursor, std::move(until)));
  co_return true;
}

}  // namespace gateway::sync
