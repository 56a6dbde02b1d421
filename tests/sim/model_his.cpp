#include "tests/sim/model_his.h"

#include <algorithm>
#include <charconv>
#include <ctime>

#include "core/civil_time.h"
#include "core/gzip.h"
#include "core/text.h"
#include "sync/fhir/same_content.h"
#include "sync/reference_order.h"
#include "sync/server_ids.h"

namespace gateway::sim {
namespace {

using core::Json;
using core::net::HttpRequest;
using core::net::HttpResponse;

std::string http_date(core::Wall time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[40];
  std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return text;
}

std::string header(const HttpRequest& request, std::string_view name) {
  for (const auto& [known, value] : request.headers) {
    if (known == name) return value;
  }
  return {};
}

/// W/"7" as 7.
std::string tag_of(std::string text) {
  std::erase_if(text, [](char c) { return c == 'W' || c == '/' || c == '"'; });
  return text;
}

std::string parameter(std::string_view target, std::string_view name) {
  const auto question = target.find('?');
  if (question == std::string_view::npos) return {};
  target.remove_prefix(question + 1);
  while (!target.empty()) {
    const auto end = target.find('&');
    const std::string_view pair = target.substr(0, end);
    const auto equals = pair.find('=');
    if (pair.substr(0, equals) == name) return std::string(pair.substr(equals + 1));
    if (end == std::string_view::npos) break;
    target.remove_prefix(end + 1);
  }
  return {};
}

std::size_t number(const std::string& text, std::size_t otherwise) {
  std::size_t value = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

const HisVersion* ModelHis::newest(const std::string& key) const {
  const auto at = resources_.find(key);
  return at == resources_.end() ? nullptr : &at->second.back();
}

HttpResponse ModelHis::said(int status, std::string body) const {
  HttpResponse answer;
  answer.status = status;
  answer.headers = {{"Content-Type", "application/fhir+json"}, {"Date", http_date(clock_())}};
  answer.body = std::move(body);
  return answer;
}

HttpResponse ModelHis::outcome(int status, std::string_view why) const {
  return said(status,
              core::cat(R"({"resourceType":"OperationOutcome","issue":[{"severity":"error",)",
                        R"("code":"processing","diagnostics":")", why, R"("}]})"));
}

void ModelHis::store(const std::string& key, Json body, const std::string& by, core::Wall updated) {
  auto& versions = resources_[key];
  HisVersion version;
  version.number = versions.empty() ? 1 : versions.back().number + 1;
  version.by = by;
  version.updated = manners_.whole_seconds
                        ? core::Wall(std::chrono::floor<std::chrono::seconds>(updated))
                        : updated;
  if (!body.is_null()) {
    Json meta = Json::object({{"versionId", std::to_string(version.number)},
                              {"lastUpdated", core::to_instant(version.updated)}});
    for (const char* said : {"security", "tag", "profile"})
      if (const Json& told = body["meta"][said]; told.is_array()) meta.set(said, told);
    body.set("meta", std::move(meta));
    version.text = body.dump();
  }
  version.body = std::move(body);
  versions.push_back(std::move(version));
  ++changes_;
}

void ModelHis::edit(const std::string& key, Json body, core::Milliseconds age) {
  store(key, std::move(body), "his", clock_() - age);
}

HttpResponse ModelHis::read(const std::string& key) const {
  const HisVersion* version = newest(key);
  if (version == nullptr) return outcome(404, "not known");
  if (version->body.is_null()) return outcome(410, "deleted");
  HttpResponse answer = said(200, version->text);
  answer.headers.emplace_back("ETag", core::cat("W/\"", version->number, "\""));
  return answer;
}

std::optional<HttpResponse> ModelHis::conflict(const HttpRequest& request, const std::string& key) {
  const std::string wanted = tag_of(header(request, "If-Match"));
  const HisVersion* held = newest(key);
  const bool is_there = held != nullptr && !held->body.is_null();
  if (!wanted.empty() && (!is_there || std::to_string(held->number) != wanted))
    return outcome(manners_.conflict_is_409 ? 409 : 412, "version conflict");
  if (manners_.knows_if_none_match && header(request, "If-None-Match") == "*" && is_there)
    return outcome(412, "it exists already");
  return std::nullopt;
}

HttpResponse ModelHis::metadata() const {
  std::string interactions;
  if (manners_.takes_transaction) interactions += R"({"code":"transaction"})";
  if (manners_.takes_batch)
    interactions += core::cat(interactions.empty() ? "" : ",", R"({"code":"batch"})");
  return said(200,
              core::cat(R"({"resourceType":"CapabilityStatement","fhirVersion":"4.0.1","rest":)",
                        R"([{"mode":"server","interaction":[)", interactions, "]}]}"));
}

/// One entry as the request it stands for.
HttpResponse ModelHis::entry(const Json& asked, const std::string& by, bool only_checks) {
  const Json& what = asked["request"];
  HttpRequest request;
  request.method = what["method"].text();
  request.target = core::cat("/", what["url"].text());
  request.headers = {{"If-Match", std::string(what["ifMatch"].text())},
                     {"If-None-Match", std::string(what["ifNoneMatch"].text())},
                     {"If-None-Exist", std::string(what["ifNoneExist"].text())}};
  if (!asked["resource"].is_null()) request.body = asked["resource"].dump();
  if (!only_checks) return answer(request, by);
  if (request.method == "GET") return answer(request, by);
  return conflict(request, request.target.substr(1)).value_or(said(200));
}

HttpResponse ModelHis::bundle(const HttpRequest& request, const std::string& by) {
  std::string text = request.body;
  if (header(request, "Content-Encoding") == "gzip") {
    if (!manners_.unpacks) return outcome(415, "what is this?");
    auto unpacked = core::gunzip(text, 64u << 20);
    if (!unpacked.ok()) return outcome(400, "not gzip");
    text = std::move(*unpacked);
  }
  auto asked = Json::parse(text);
  if (!asked.ok()) return outcome(400, "not JSON");
  const bool is_batch = (*asked)["type"].text() == "batch";
  if (!(is_batch ? manners_.takes_batch : manners_.takes_transaction))
    return outcome(400, "such Bundles are not taken");
  if (!is_batch) asked = settled(std::move(text), *asked);
  const Json& entries = (*asked)["entry"];
  if (entries.size() > manners_.entries_max) return outcome(413, "too many entries");
  for (const Json& one : entries.items()) {
    if (is_batch) break;
    HttpResponse checked = entry(one, by, true);
    if (checked.status >= 400) return checked;
  }
  std::string told = core::cat(R"({"resourceType":"Bundle","type":")",
                               is_batch ? "batch" : "transaction", R"(-response","entry":[)");
  for (const Json& one : entries.items()) {
    const HttpResponse answered = entry(one, by, false);
    if (told.back() != '[') told += ',';
    told += core::cat(R"({"response":{"status":")", answered.status, '"');
    if (const auto tag = answered.header("ETag"); !tag.empty())
      told += core::cat(R"(,"etag":)", Json(tag).dump());
    if (const auto place = answered.header("Location"); !place.empty())
      told += core::cat(R"(,"location":)", Json(place).dump());
    told += answered.status == 200 && !answered.body.empty()
                ? core::cat(R"(},"resource":)", answered.body, "}")
                : "}}";
    note_ += core::cat(' ', one["request"]["method"].text(), ' ', one["request"]["url"].text(), ' ',
                       answered.status);
  }
  arriving_.clear();
  return said(200, told + "]}");
}

Json ModelHis::settled(std::string text, const Json& asked) {
  for (const Json& one : asked["entry"].items()) {
    const Json& what = one["request"];
    std::string place(what["url"].text());
    if (what["method"].text() == "POST") place = place_of(place, what["ifNoneExist"].text());
    const std::string placeholder = Json(one["fullUrl"].text()).dump();
    for (auto at = text.find(placeholder); placeholder.size() > 2 && at != std::string::npos;
         at = text.find(placeholder, at + 1))
      text.replace(at, placeholder.size(), Json(place).dump());
    arriving_.insert(std::move(place));
  }
  auto settled = Json::parse(text);
  return settled.ok() ? std::move(*settled) : asked;
}

std::vector<std::string> ModelHis::marked(const std::string& type, std::string_view query) const {
  std::vector<std::string> found;
  const auto bar = query.find("%7C");
  if (bar == std::string_view::npos) return found;
  const sync::ResourceKey ours{type, std::string(query.substr(bar + 3))};
  const std::string prefix = type + "/";
  for (auto at = resources_.lower_bound(prefix);
       at != resources_.end() && at->first.starts_with(prefix); ++at)
    if (sync::carries_mark(at->second.back().body, ours)) found.push_back(at->first);
  return found;
}

std::string ModelHis::place_of(const std::string& type, std::string_view query) const {
  const auto there = marked(type, query);
  if (!there.empty()) return there.front();
  const auto bar = query.find("%7C");
  std::string id(bar == std::string_view::npos ? "" : query.substr(bar + 3));
  do {
    id.insert(0, "h");
  } while (resources_.contains(core::cat(type, '/', id)));
  return core::cat(type, '/', id);
}

std::string ModelHis::named(const std::string& key) const {
  std::string name = key;
  for (std::string next = key; true;) {
    next.insert(next.find('/') + 1, "h");
    const HisVersion* held = newest(next);
    if (held == nullptr) return name;
    if (name == key || !held->body.is_null()) name = next;
  }
}

std::vector<std::string> ModelHis::doubled() const {
  std::map<std::string, int> living;
  for (const auto& [key, versions] : resources_) {
    auto ours = *sync::parse_reference(key);
    ours.id.erase(0, ours.id.find_first_not_of('h'));
    if (sync::carries_mark(versions.back().body, ours)) ++living[ours.text()];
  }
  std::vector<std::string> found;
  for (const auto& [key, count] : living)
    if (count > 1) found.push_back(core::cat("doubled: ", count, " resources for ", key));
  return found;
}

void ModelHis::check_targets(const std::string& key, const Json& body) {
  for (const sync::ResourceKey& target : sync::references_of(body)) {
    if (newest(target.text()) == nullptr && !arriving_.contains(target.text()))
      dangling_.push_back(core::cat(key, " came before its ", target.text()));
  }
}

void ModelHis::tell_place(HttpResponse& answer, const std::string& key) const {
  const std::int64_t version = newest(key)->number;
  std::string place = core::cat("https://his.example/fhir/", key);
  if (manners_.tells_version) {
    answer.headers.emplace_back("ETag", core::cat("W/\"", version, "\""));
    place += core::cat("/_history/", version);
  }
  answer.headers.emplace_back("Location", std::move(place));
}

HttpResponse ModelHis::create(const HttpRequest& request, const std::string& type,
                              const std::string& by) {
  const std::string query = header(request, "If-None-Exist");
  const auto there = marked(type, query);
  if (there.size() > 1) return outcome(412, "several match");
  const std::string key = place_of(type, query);
  HttpResponse answer = said(there.empty() ? 201 : 200);
  if (there.empty()) {
    auto body = Json::parse(request.body);
    if (!body.ok()) return outcome(400, "not JSON");
    body->set("id", key.substr(type.size() + 1));
    check_targets(key, *body);
    store(key, std::move(*body), by, clock_());
  }
  tell_place(answer, key);
  return answer;
}

HttpResponse ModelHis::search_marked(const std::string& type, std::string_view query) const {
  std::string text = R"({"resourceType":"Bundle","type":"searchset","entry":[)";
  for (const std::string& key : marked(type, query))
    text += core::cat(text.back() == '[' ? "" : ",", R"({"resource":)", newest(key)->text, "}");
  return said(200, text + "]}");
}

HttpResponse ModelHis::update(const HttpRequest& request, const std::string& key,
                              const std::string& by) {
  if (auto refused = conflict(request, key)) return std::move(*refused);
  const HisVersion* held = newest(key);
  const bool is_there = held != nullptr && !held->body.is_null();
  if (request.method == "DELETE") {
    if (is_there) store(key, Json(), by, clock_());
    return said(204);
  }
  auto body = Json::parse(request.body);
  if (!body.ok()) return outcome(400, "not JSON");
  const bool is_new = !is_there;
  if (held == nullptr && !manners_.keeps_client_ids)
    return outcome(manners_.conflict_is_409 ? 404 : 405, "ids are given here");
  // As HAPI: an update that changes nothing makes no version.
  if (!is_there || !sync::same_content(held->body, *body)) {
    check_targets(key, *body);
    store(key, std::move(*body), by, clock_());
  }
  HttpResponse answer = said(is_new ? 201 : 200);
  if (manners_.tells_version)
    answer.headers.emplace_back("ETag", core::cat("W/\"", newest(key)->number, "\""));
  return answer;
}

ModelHis::Page ModelHis::find(const std::string& type, const std::string& since) const {
  const auto from = core::parse_instant(since);
  std::vector<std::tuple<core::Wall, std::string, std::int64_t>> found;
  const std::string prefix = type + "/";
  for (auto at = resources_.lower_bound(prefix);
       at != resources_.end() && at->first.starts_with(prefix); ++at) {
    const HisVersion& version = at->second.back();
    if (version.body.is_null() || (from && version.updated < *from)) continue;
    found.emplace_back(version.updated, at->first, version.number);
  }
  std::ranges::sort(found);
  Page page;
  page.type = type;
  page.since = since;
  for (auto& [updated, key, count] : found) page.entries.emplace_back(std::move(key), count);
  return page;
}

HttpResponse ModelHis::page_answer(const Page& page, std::size_t from, const std::string& token) {
  std::string text = R"({"resourceType":"Bundle","type":"searchset","link":[)";
  const std::size_t end = std::min(page.entries.size(), from + manners_.page_max);
  if (end < page.entries.size()) {
    text += core::cat(R"({"relation":"next","url":"https://his.example/fhir/)", page.type,
                      "?_page=", token, "&_offset=", end, "&_lastUpdated=ge", page.since, R"("})");
  }
  text += R"(],"entry":[)";
  for (std::size_t i = from; i < end; ++i) {
    const HisVersion& version = resources_.at(page.entries[i].first).back();
    if (version.body.is_null()) continue;
    if (text.back() != '[') text += ',';
    text += core::cat(R"({"resource":)", version.text, "}");
  }
  return said(200, text + "]}");
}

HttpResponse ModelHis::search(std::string_view target) {
  const std::string type(target.substr(1, target.find('?') - 1));
  for (const char* name : {"identifier", "_tag"})
    if (const std::string query = parameter(target, name); !query.empty())
      return search_marked(type, query);
  std::string since = parameter(target, "_lastUpdated");
  if (since.starts_with("ge")) since.erase(0, 2);
  const std::string token = parameter(target, "_page");
  const std::size_t from = number(parameter(target, "_offset"), 0);
  if (manners_.pages_by_offset || token.empty()) {
    Page page = find(type, since);
    const std::string name = std::to_string(snapshots_.size());
    HttpResponse answer = page_answer(page, from, name);
    if (!manners_.pages_by_offset && page.entries.size() > manners_.page_max)
      snapshots_.emplace(name, std::move(page));
    return answer;
  }
  const auto snapshot = snapshots_.find(token);
  if (snapshot == snapshots_.end()) return outcome(410, "this search is too old");
  return page_answer(snapshot->second, from, token);
}

HttpResponse ModelHis::history(std::string_view target) {
  const std::string type(target.substr(1, target.find('/', 1) - 1));
  const auto since = core::parse_instant(parameter(target, "_since"));
  std::string text = R"({"resourceType":"Bundle","type":"history","entry":[)";
  const std::string prefix = type + "/";
  for (auto at = resources_.lower_bound(prefix);
       at != resources_.end() && at->first.starts_with(prefix); ++at) {
    for (const HisVersion& version : at->second) {
      if (since && version.updated < *since) continue;
      if (text.back() != '[') text += ',';
      text += "{";
      if (!version.body.is_null()) text += core::cat(R"("resource":)", version.text, ",");
      text += core::cat(R"("request":{"method":")", version.body.is_null() ? "DELETE" : "PUT",
                        R"(","url":")", at->first, R"("},"response":{"status":"200","etag":"W/\")",
                        version.number, R"(\"","lastModified":")",
                        core::to_instant(version.updated), R"("}})");
    }
  }
  return said(200, text + "]}");
}

HttpResponse ModelHis::answer(const HttpRequest& request, const std::string& by) {
  const std::string_view target = request.target;
  if (request.method == "GET" && target.find("/_history") != std::string_view::npos)
    return history(target);
  if (request.method == "GET" && target.find('?') != std::string_view::npos) return search(target);
  if (target == "/metadata") return metadata();
  if (request.method == "POST" && target == "/") return bundle(request, by);
  const std::string key(target.substr(1));
  if (request.method == "POST") return create(request, key, by);
  if (request.method == "GET") return read(key);
  if (request.method == "PUT" || request.method == "DELETE") return update(request, key, by);
  return outcome(405, "method not allowed");
}

}  // namespace gateway::sim
