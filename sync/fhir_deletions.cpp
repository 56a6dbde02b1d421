#include "sync/fhir_deletions.h"

#include <map>
#include <memory>
#include <vector>

#include "core/civil_time.h"
#include "core/text.h"
#include "sync/async_write.h"
#include "sync/fhir_inventory.h"
#include "sync/pull_state.h"
#include "sync/server_ids.h"

namespace gateway::sync {
namespace {

using core::Json;
using core::net::Awaitable;
using crypto::Connection;

constexpr auto kEvery = std::chrono::minutes(30);
constexpr int kPagesMax = 10'000;  // a server whose next links run in circles

struct HistoryRun {
  std::string path;   // "Type/_history", which also names its cursor
  std::string since;  // empty: there is nothing to ask for yet
  std::string until;  // how far the search has come
};

core::Result<HistoryRun> plan_run(Connection& connection, const std::string& uplink,
                                  const std::string& query) {
  HistoryRun run;
  run.path = history_path(query);
  GW_TRY(run.until, saved_cursor(connection, uplink, query));
  GW_TRY(run.since, saved_cursor(connection, uplink, run.path));
  return run;
}

bool is_due(const HistoryRun& run) {
  const auto from = core::parse_instant(run.since);
  const auto to = core::parse_instant(run.until);
  return from && to && *to - *from >= kEvery;
}

/// What the server calls each, by what it is called here.
using Deleted = std::map<std::string, ResourceKey>;

core::Result<bool> is_known(Connection& connection, const std::string& uplink,
                            const ResourceKey& key) {
  GW_TRY(const auto held, read_newest(connection, key));
  if (held && !held->deleted) return true;
  GW_TRY(const auto waiting,
         connection.integer("SELECT 1 FROM inbox WHERE uplink = ? AND type = ? AND id = ?", uplink,
                            key.type, key.id));
  return waiting.has_value();
}

/// Of the page: what it says was deleted and we still hold, or keep waiting in the inbox.
core::Result<Deleted> deleted_and_held(Connection& connection, const std::string& uplink,
                                       const Json& page) {
  Deleted found;
  for (const Json& entry : page["entry"].items()) {
    if (entry["request"]["method"].text() != "DELETE") continue;
    const auto theirs = parse_reference(entry["request"]["url"].text());
    if (!theirs) continue;
    GW_TRY(const ResourceKey key, our_key_of(connection, uplink, *theirs));
    GW_TRY(const bool known, is_known(connection, uplink, key));
    if (known) found.emplace(key.text(), *theirs);
  }
  return found;
}

std::string next_target(const HistoryRun& run, const Json& page) {
  for (const Json& link : page["link"].items()) {
    const std::string_view url = link["url"].text();
    const auto question = url.find('?');
    if (link["relation"].text() == "next" && question != std::string_view::npos)
      return core::cat("/", run.path, url.substr(question));
  }
  return {};
}

/// R4 does not oblige a server to have one, and they differ in how they say so.
bool has_no_history(int status) {
  return status == 400 || status == 403 || status == 404 || status == 405 || status == 501;
}

}  // namespace

Awaitable<core::Result<Applied>> confirm_deletion(const Pulling& pulling, ResourceKey key,
                                                  ResourceKey theirs) {
  const std::uint64_t mark = pulling.crossings.before_reading();
  auto answer = co_await pulling.endpoint.read(std::move(theirs));
  if (!answer.ok()) co_return std::move(answer).error();
  if (!answer->not_serving.empty())
    co_return core::Error(core::Code::unavailable, answer->not_serving);
  if (answer->status == 200) co_return Applied::unchanged;
  // No answer to the question: the cursor stays, and it is asked again.
  if (answer->status != 404 && answer->status != 410) co_return Applied::crossed;
  auto applied = std::make_shared<Applied>(Applied::unchanged);
  const bool crossed = pulling.crossings.crossed(key.text(), mark);
  crypto::Change change = [&pulling, applied, key, crossed,
                           version = answer->version](Connection& connection) -> core::Status {
    const Reconciling with{pulling.holdings.audit(), pulling.clock, pulling.uplink, pulling.policy};
    GW_TRY(*applied, apply_deletion(connection, with, key, version, crossed));
    return refresh_after(connection, key, pulling.holdings.options().worklist);
  };
  GW_CO_CHECK(co_await write_async(pulling.holdings.database(), std::move(change)));
  co_return *applied;
}

Awaitable<core::Status> save_cursor(const Pulling& pulling, std::string name, std::string since) {
  crypto::Change change = [&pulling, name, since](Connection& connection) {
    return put_cursor(connection, pulling.uplink, name, since);
  };
  co_return co_await write_async(pulling.holdings.database(), std::move(change));
}

std::string history_path(std::string_view query) {
  return core::cat(query.substr(0, query.find('?')), "/_history");
}

core::Result<Applied> apply_deletion(Connection& connection, const Reconciling& with,
                                     const ResourceKey& key, std::string_view remote_version,
                                     bool crossed) {
  GW_CHECK(connection.run("DELETE FROM inbox WHERE uplink = ? AND type = ? AND id = ?", with.uplink,
                          key.type, key.id));
  GW_TRY(const auto held, read_resource(connection, key));
  if (!held) return Applied::unchanged;
  GW_TRY(const Queued queued, find_queued(connection, with.uplink, key));
  if (crossed || queued == Queued::sending) return Applied::crossed;
  GW_TRY(const auto base, read_base(connection, with.uplink, key));
  // As with news: what is held may be another uplink's.
  if (queued == Queued::waiting || !base || base->version != held->version) {
    GW_CHECK(reconcile(connection, with, key, Json(), remote_version));
    return Applied::applied;
  }
  const std::string now = core::to_instant(with.clock.wall());
  GW_TRY(const std::int64_t version, delete_resource(connection, key, with.uplink, now));
  GW_CHECK(put_base(connection, with.uplink, key, {std::string(remote_version), version}));
  return Applied::applied;
}

Awaitable<core::Status> pull_deletions(const Pulling& pulling, std::string query) {
  auto run = pulling.holdings.database().read_value<HistoryRun>(
      [&](Connection& connection) { return plan_run(connection, pulling.uplink, query); });
  if (!run.ok()) co_return std::move(run).error();
  // Without a beginning nothing was pulled yet. The server's clock may have gone back.
  if (!run->until.empty() && (run->since.empty() || run->until < run->since))
    co_return co_await save_cursor(pulling, run->path, run->until);
  if (!is_due(*run)) co_return core::Status();

  bool crossed = false;
  std::string target = core::cat("/", run->path, "?_since=", run->since);
  for (int pages = 0; !target.empty() && pages < kPagesMax; ++pages) {
    auto answer = co_await pulling.endpoint.page(target);
    if (!answer.ok()) co_return std::move(answer).error();
    if (!answer->not_serving.empty())
      co_return core::Error(core::Code::unavailable, answer->not_serving);
    if (has_no_history(answer->status)) {
      auto taken = co_await take_inventory(pulling, query, run->until);
      if (!taken.ok()) co_return std::move(taken).error();
      crossed |= !*taken;
      break;
    }
    if (answer->status != 200) co_return core::Status();
    auto deleted = pulling.holdings.database().read_value<Deleted>([&](Connection& connection) {
      return deleted_and_held(connection, pulling.uplink, answer->body);
    });
    if (!deleted.ok()) co_return std::move(deleted).error();
    for (const auto& [reference, theirs] : *deleted) {
      ResourceKey key = *parse_reference(reference);
      ResourceKey there = theirs;
      auto applied = co_await confirm_deletion(pulling, std::move(key), std::move(there));
      if (!applied.ok()) co_return std::move(applied).error();
      crossed |= *applied == Applied::crossed;
    }
    target = next_target(*run, answer->body);
  }
  if (crossed) co_return core::Status();
  co_return co_await save_cursor(pulling, run->path, run->until);
}

}  // namespace gateway::sync
