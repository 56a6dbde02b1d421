#include "sync/fhir_pull.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "core/civil_time.h"
#include "core/text.h"
#include "sync/async_write.h"
#include "sync/contraindication.h"
#include "sync/duplicate_patients.h"
#include "sync/fhir/resource_rules.h"
#include "sync/fhir/same_content.h"
#include "sync/fhir_deletions.h"
#include "sync/merged_patients.h"
#include "sync/pull_state.h"
#include "sync/replica.h"
#include "sync/same_occasion.h"
#include "sync/server_ids.h"

namespace gateway::sync {
namespace {

using core::Json;
using core::net::Awaitable;
using crypto::Connection;

constexpr int kPageSize = 100;
constexpr int kPagesMax = 100'000;        // a server whose next links run in circles
constexpr std::size_t kMissingMax = 200;  // references fetched by themselves per page
// Longer than a server's slowest transaction and the drift between its clock and its proxy's.
constexpr auto kOverlap = std::chrono::minutes(5);

struct Page {
  std::vector<Json> resources;
  std::string next;
  std::optional<core::Wall> newest;
  std::optional<core::Wall> served_at;
  bool is_sorted = true;              // as we asked; a server may not know how
  std::optional<std::int64_t> total;  // of the whole search, where the server says so
};

std::optional<ResourceKey> key_of(const Json& resource) {
  return parse_reference(core::cat(resource["resourceType"].text(), "/", resource["id"].text()));
}

/// What a resource must not arrive before: the patient it is about, and the order a task is for.
/// Whatever else it refers to may be kept from us by the server, and would hide it for good.
std::vector<ResourceKey> needed_by(const Json& resource) {
  const std::string_view type = resource["resourceType"].text();
  std::vector<ResourceKey> needs;
  if (type == "Patient") return needs;
  if (const auto patient = parse_reference(patient_of(resource))) needs.push_back(*patient);
  const std::string_view focus = resource["focus"]["reference"].text();
  if (type == "Task" && focus.starts_with("ServiceRequest/")) {
    if (const auto order = parse_reference(focus)) needs.push_back(*order);
  }
  return needs;
}

/// What is fetched with it where it is not held: that, and the record that replaced a patient's.
std::vector<ResourceKey> wanted_with(const Json& resource) {
  std::vector<ResourceKey> wanted = needed_by(resource);
  if (resource["resourceType"].text() == "Patient")
    if (auto survivor = replaced_by(resource)) wanted.push_back(std::move(*survivor));
  return wanted;
}

core::Result<bool> is_held(Connection& connection, const ResourceKey& key) {
  GW_TRY(const auto held, read_newest(connection, key));
  return held && !held->deleted;
}

/// It serves us, and not this: a type that it does not have or that this client may not read, a
/// search it does not understand or that it has forgotten between two pages.
bool is_refused_search(const FhirAnswer& answer) {
  return answer.not_serving.empty() && answer.status / 100 == 4;
}

core::Result<Page> read_page(const FhirAnswer& answer) {
  if (!answer.not_serving.empty()) return core::Error(core::Code::unavailable, answer.not_serving);
  if (answer.status != 200) {
    return core::Error(core::Code::refused,
                       core::cat("the search was answered with ", answer.status));
  }
  if (answer.body["resourceType"].text() != "Bundle") {
    return core::Error(core::Code::refused,
                       "the search was not answered with a FHIR Bundle; check url of this uplink");
  }
  Page page;
  page.served_at = core::parse_http_date(answer.date);
  for (const Json& entry : answer.body["entry"].items()) {
    const Json& resource = entry["resource"];
    if (!key_of(resource)) continue;  // an OperationOutcome about the search itself
    // What _include brings along is in no order and says nothing of how far the search has come.
    const bool is_match = entry["search"]["mode"].text() != "include";
    const auto updated = core::parse_instant(resource["meta"]["lastUpdated"].text());
    if (is_match && updated) {
      page.is_sorted = page.is_sorted && *updated >= page.newest.value_or(*updated);
      page.newest = std::max(page.newest.value_or(*updated), *updated);
    }
    page.resources.push_back(resource);
  }
  page.total = answer.body["total"].integer();
  GW_TRY(page.next, next_page(answer.body));
  return page;
}

std::string target_since(const std::string& query, std::string_view since) {
  std::string target = core::cat("/", query, query.find('?') == std::string::npos ? "?" : "&",
                                 "_sort=_lastUpdated&_count=", kPageSize);
  if (!since.empty()) target += core::cat("&_lastUpdated=ge", since);
  return target;
}

/// What is wanted with the page that neither the replica nor the page itself has.
core::Result<std::set<std::string>> missing_references(Connection& connection,
                                                       const std::vector<Json>& resources) {
  std::set<std::string> here;
  for (const Json& resource : resources) here.insert(key_of(resource)->text());
  std::set<std::string> missing;
  for (const Json& resource : resources) {
    for (const ResourceKey& need : wanted_with(resource)) {
      if (here.contains(need.text()) || missing.size() >= kMissingMax) continue;
      GW_TRY(const bool held, is_held(connection, need));
      if (!held) missing.insert(need.text());
    }
  }
  return missing;
}

/// Fetches them by id and puts them before the page; one the server does not have leaves its
/// dependants waiting.
Awaitable<core::Status> put_missing_first(FhirEndpoint& endpoint, Holdings& holdings,
                                          std::vector<Json>& resources) {
  auto missing = holdings.database().read_value<std::set<std::string>>(
      [&](Connection& connection) { return missing_references(connection, resources); });
  if (!missing.ok()) co_return std::move(missing).error();
  std::vector<Json> fetched;
  for (const std::string& reference : *missing) {
    ResourceKey key = *parse_reference(reference);
    auto answer = co_await endpoint.read(std::move(key));
    if (!answer.ok()) co_return std::move(answer).error();
    if (!answer->not_serving.empty())
      co_return core::Error(core::Code::unavailable, answer->not_serving);
    if (answer->status == 200 && key_of(answer->body)) fetched.push_back(std::move(answer->body));
  }
  resources.insert(resources.begin(), std::make_move_iterator(fetched.begin()),
                   std::make_move_iterator(fetched.end()));
  co_return core::Status();
}

core::Status hold_back(Connection& connection, const std::string& uplink, const ResourceKey& key,
                       const Json& resource, std::string_view needs, std::string_view reason,
                       std::string_view now) {
  return connection.run(
      "INSERT INTO inbox (uplink, type, id, remote_version, needs, reason, at, body) VALUES (?, ?, "
      "?, ?, ?, ?, ?, ?)"
      " ON CONFLICT (uplink, type, id) DO UPDATE SET remote_version = excluded.remote_version, "
      "needs = excluded.needs,"
      " reason = excluded.reason, body = excluded.body",
      uplink, key.type, key.id, resource["meta"]["versionId"].text(), needs, reason, now,
      resource.dump());
}

/// A task's order is fetched in the first round, the order's patient in the second.
Awaitable<core::Status> complete_page(FhirEndpoint& endpoint, Holdings& holdings,
                                      std::vector<Json>& resources) {
  for (int rounds = 0; rounds < 2; ++rounds)
    GW_CO_CHECK(co_await put_missing_first(endpoint, holdings, resources));
  co_return core::Status();
}

/// From here on the page goes by our ids. What is made known by it is committed before anything
/// else is done with it.
Awaitable<core::Status> take_our_ids(const Pulling& pulling, std::vector<Json>& resources) {
  auto taken = std::make_shared<std::vector<Json>>(std::move(resources));
  crypto::Change change = [&pulling, taken](Connection& connection) -> core::Status {
    for (Json& resource : *taken) GW_CHECK(to_our_ids(connection, pulling.uplink, resource));
    return {};
  };
  GW_CO_CHECK(co_await write_async(pulling.holdings.database(), std::move(change)));
  resources = std::move(*taken);
  co_return core::Status();
}

/// What waited in the inbox for `key`, now that it is held.
core::Status apply_dependants(Connection& connection, const Reconciling& with,
                              const ResourceKey& key, const WorklistOptions& worklist) {
  std::vector<Json> waiting;
  {
    GW_TRY(auto rows, connection.query("SELECT body FROM inbox WHERE uplink = ? AND needs = ?",
                                       with.uplink, key.text()));
    while (true) {
      GW_TRY(const bool more, rows.next());
      if (!more) break;
      GW_TRY(Json body, Json::parse(rows.text(0)));
      waiting.push_back(std::move(body));
    }
  }
  for (const Json& resource : waiting) GW_CHECK(apply_pulled(connection, with, resource, worklist));
  return {};
}

/// One query on its way from its cursor to its last page; lives in pull_query().
struct QueryRun {
  std::string query;
  std::string target;  // of the next page; empty: that was the last
  std::string since;   // what it asks for
  bool keeps_a_cursor = true;
  std::optional<core::Wall> newest;
  std::optional<core::Wall> served_at;  // the server's clock as the query began
  bool is_sorted = true;
  std::int64_t applied = 0;
  bool crossed = false;
  // Of the pages that were left by the server's own link: the version of each resource, and how
  // many there were. Such a link may count from the first one on: when one of these moved behind
  // or went meanwhile, the next page began too late, and what it left out has to be asked for
  // again.
  std::map<std::string, std::string> seen;
  std::optional<std::int64_t> total;
  bool moved = false;
  std::string refused;  // why the server did not answer to it, for people
};

void note_moves(QueryRun& run, const Page& page) {
  for (const Json& resource : page.resources) {
    const auto before = run.seen.find(key_of(resource)->text());
    run.moved |= before != run.seen.end() && before->second != resource["meta"]["versionId"].text();
  }
  run.moved |= run.total && page.total && *page.total < *run.total;
}

void remember(QueryRun& run, const Page& page) {
  for (const Json& resource : page.resources)
    run.seen.emplace(key_of(resource)->text(), resource["meta"]["versionId"].text());
}

/// Where to go on after `page`.
void go_on(QueryRun& run, const Page& page) {
  note_moves(run, page);
  run.total.reset();
  if (page.newest) run.newest = std::max(run.newest.value_or(*page.newest), *page.newest);
  run.target = page.next;
  if (page.next.empty() || !page.newest) return;
  const std::string ended = core::to_instant(*page.newest);
  // A page full of one time can only be left by the server's own link, and one that is not sorted
  // says nothing of what comes behind it.
  run.is_sorted = run.is_sorted && page.is_sorted;
  if (ended == run.since || !run.is_sorted) {
    remember(run, page);
    run.total = page.total;
    return;
  }
  run.since = ended;
  run.target = target_since(run.query, ended);
}

/// The server's clock stands before the cursor: it went back, and nobody knows when. True: the
/// query asks for everything again, of which what is known is recognised.
bool begin_anew(QueryRun& run) {
  const auto cursor = core::parse_instant(run.since);
  if (!cursor || *run.served_at >= *cursor) return false;
  run.since.clear();
  run.target = target_since(run.query, run.since);
  return true;
}

/// A page on its way into the replica.
struct ReadPage {
  std::vector<Json> resources;
  std::set<std::string> crossed;  // of these, what our own deliveries may have overtaken
};

/// Looked at on the loop, where deliveries begin and end. One that begins later has its row marked
/// as being sent before the page is applied, or is still to be claimed after it.
ReadPage with_crossings(const Crossings& crossings, std::vector<Json> resources,
                        std::uint64_t mark) {
  ReadPage page{std::move(resources), {}};
  for (const Json& resource : page.resources) {
    std::string subject = key_of(resource)->text();
    if (crossings.crossed(subject, mark)) page.crossed.insert(std::move(subject));
  }
  return page;
}

/// From here on deletions count: what this page brings may be deleted before the query first comes
/// to its end.
core::Status begin_history(Connection& connection, const Pulling& pulling, const QueryRun& run) {
  if (!run.served_at) return {};
  const std::string path = history_path(run.query);
  GW_TRY(const std::string saved, saved_cursor(connection, pulling.uplink, path));
  if (!saved.empty()) return {};
  return put_cursor(connection, pulling.uplink, path, core::to_instant(*run.served_at - kOverlap));
}

bool is_to_be_repeated(const QueryRun& run) { return run.crossed || run.moved; }

/// Where the next one goes on: behind what was seen by more than a server's longest transaction,
/// and not past the server's own clock: where that was ahead and was put right, what changes from
/// now on carries earlier times than what was read.
std::string cursor_after(const QueryRun& run) {
  const core::Wall until = std::min(*run.newest, run.served_at.value_or(*run.newest));
  return core::to_instant(until - kOverlap);
}

core::Status apply_page(Connection& connection, const Pulling& pulling, QueryRun& run,
                        const ReadPage& page) {
  if (run.keeps_a_cursor) GW_CHECK(begin_history(connection, pulling, run));
  const Reconciling with{pulling.holdings.audit(), pulling.clock, pulling.uplink, pulling.policy};
  for (const Json& read : page.resources) {
    bool crossed = page.crossed.contains(key_of(read)->text());
    Json resource = read;
    if (pulling.ids_differ) {
      // What it refers to may have got its id since it was read.
      GW_CHECK(to_our_ids(connection, pulling.uplink, resource));
      GW_TRY(const bool is_early, refers_to_unnamed(connection, pulling.uplink, resource));
      crossed = crossed || is_early;
    }
    GW_TRY(const Applied result,
           apply_pulled(connection, with, resource, pulling.holdings.options().worklist, crossed));
    if (result == Applied::applied) ++run.applied;
    if (result == Applied::crossed) run.crossed = true;
  }
  // The cursor belongs to the whole query: it moves in the transaction of the last page only, and
  // not past what has to be read again.
  if (!run.target.empty() || is_to_be_repeated(run) || !run.newest || !run.keeps_a_cursor)
    return {};
  return put_cursor(connection, pulling.uplink, run.query, cursor_after(run));
}

/// One of the configured queries, from its cursor.
Awaitable<core::Result<QueryEnd>> pull_on(const Pulling& pulling, const std::string& query) {
  auto since = pulling.holdings.database().read_value<std::string>(
      [&](Connection& connection) { return saved_cursor(connection, pulling.uplink, query); });
  if (!since.ok()) co_return std::move(since).error();
  QueryAsked asked{query, std::move(*since)};
  co_return co_await pull_query(pulling, std::move(asked));
}

}  // namespace

Awaitable<core::Result<QueryEnd>> pull_query(const Pulling& pulling, QueryAsked asked) {
  auto run = std::make_shared<QueryRun>();
  run->query = std::move(asked.query);
  run->since = std::move(asked.since);
  run->keeps_a_cursor = asked.keeps_a_cursor;
  run->target = target_since(run->query, run->since);
  for (int pages = 0; !run->target.empty() && pages < kPagesMax; ++pages) {
    const std::uint64_t mark = pulling.crossings.before_reading();
    auto answer = co_await pulling.endpoint.page(run->target);
    if (!answer.ok()) co_return std::move(answer).error();
    if (is_refused_search(*answer)) {
      run->refused = core::cat("the server answered ", answer->status);
      break;
    }
    auto page = read_page(*answer);
    if (!page.ok()) co_return std::move(page).error();
    if (pages == 0 && page->served_at) {
      run->served_at = run->newest = page->served_at;
      if (begin_anew(*run)) continue;
    }
    go_on(*run, *page);
    if (pulling.ids_differ) GW_CO_CHECK(co_await take_our_ids(pulling, page->resources));
    GW_CO_CHECK(co_await complete_page(pulling.endpoint, pulling.holdings, page->resources));
    if (pulling.ids_differ) GW_CO_CHECK(co_await take_our_ids(pulling, page->resources));

    auto read = std::make_shared<ReadPage>(
        with_crossings(pulling.crossings, std::move(page->resources), mark));
    crypto::Change apply = [&pulling, run, read](Connection& connection) {
      return apply_page(connection, pulling, *run, *read);
    };
    GW_CO_CHECK(co_await write_async(pulling.holdings.database(), std::move(apply)));
  }
  QueryEnd end;
  end.applied = run->applied;
  end.refused = run->refused;
  if (run->newest) end.until = cursor_after(*run);
  end.is_to_be_repeated = is_to_be_repeated(*run);
  co_return end;
}

core::Result<std::string> page_target(std::string_view link) {
  const auto question = link.find('?');
  if (question == std::string_view::npos) {
    return core::Error(core::Code::refused, "the server's link to the next page has no query");
  }
  const std::string_view path = link.substr(0, question);
  const std::string_view last = path.substr(path.rfind('/') + 1);
  // A search page is Base/Type?… or Base?…; a resource type is the only last segment that begins
  // with a capital letter.
  const bool is_type = !last.empty() && last.front() >= 'A' && last.front() <= 'Z';
  return core::cat(is_type ? core::cat("/", last) : std::string(), link.substr(question));
}

core::Result<std::string> next_page(const Json& bundle) {
  for (const Json& link : bundle["link"].items())
    if (link["relation"].text() == "next") return page_target(link["url"].text());
  return std::string();
}

core::Result<Applied> apply_pulled(Connection& connection, const Reconciling& with,
                                   const Json& resource, const WorklistOptions& worklist,
                                   bool crossed) {
  const auto key = key_of(resource);
  if (!key) return core::Error(core::Code::invalid, "a pulled entry has no type or id");
  const std::string now = core::to_instant(with.clock.wall());
  const std::string remote_version(resource["meta"]["versionId"].text());
  GW_TRY(const auto base, read_base(connection, with.uplink, *key));
  if (base && !remote_version.empty() && base->remote_version == remote_version)
    return Applied::unchanged;

  GW_TRY(const auto held, read_newest_version(connection, *key));
  const bool shows = held && !held->body.is_null();
  for (const ResourceKey& need : needed_by(resource)) {
    GW_TRY(const bool is_there, is_held(connection, need));
    // A change of what is held comes in, whatever became of the order or the patient since.
    if (is_there || shows) continue;
    GW_CHECK(hold_back(connection, with.uplink, *key, resource, need.text(),
                       "it refers to a resource that has not arrived", now));
    return Applied::waiting;
  }
  // What comes back as we sent it is agreed upon, not news: our own text stays.
  const bool is_news = !held || held->body.is_null() || !same_content(held->body, resource);
  GW_TRY(const Queued queued, find_queued(connection, with.uplink, *key));
  if (is_news && (crossed || queued == Queued::sending)) return Applied::crossed;
  // What is held may be another uplink's word: it is not to be lost unseen either.
  const bool is_ours_to_tell = held && (!base || base->version != held->version);
  if (is_news && (queued == Queued::waiting || is_ours_to_tell)) {
    GW_CHECK(reconcile(connection, with, *key, resource, remote_version));
  } else {
    std::int64_t version = held ? held->version : 0;
    if (is_news) {
      GW_TRY(version, put_resource(connection, *key, resource, with.uplink, now));
    }
    GW_CHECK(put_base(connection, with.uplink, *key, {remote_version, version}));
    if (is_news) {
      const Json before = held ? held->body : Json();
      GW_CHECK(flag_contraindications(connection, with, *key, before, resource, now));
      GW_CHECK(flag_same_occasion(connection, with, *key, before, resource, now));
    }
  }
  if (is_news && key->type == "Patient") GW_CHECK(propose_merges(connection, with, resource, now));
  GW_CHECK(connection.run("DELETE FROM inbox WHERE uplink = ? AND type = ? AND id = ?", with.uplink,
                          key->type, key->id));
  GW_CHECK(refresh_after(connection, *key, worklist));
  GW_CHECK(apply_dependants(connection, with, *key, worklist));
  return Applied::applied;
}

Awaitable<PullReport> pull_queries(Pulling pulling, std::vector<std::string> queries) {
  PullReport report;
  for (const std::string& query : queries) {
    const std::string type = query.substr(0, query.find('?'));
    auto end = co_await pull_on(pulling, query);
    if (!end.ok()) {
      report.error = core::cat("pull of ", type, ": ", end.error().message());
      co_return report;
    }
    report.applied += end->applied;
    if (!end->refused.empty()) {
      report.refused +=
          core::cat(report.refused.empty() ? "" : "; ", "pull of ", type, ": ", end->refused,
                    "; check pull of this uplink, or what it may read there");
      continue;
    }
    const core::Status deletions = co_await pull_deletions(pulling, query);
    if (!deletions.ok()) {
      report.error = core::cat("history of ", type, ": ", deletions.error().message());
      co_return report;
    }
  }
  report.reached = true;
  co_return report;
}

}  // namespace gateway::sync
