#include "daemon/ops/vitals.h"

#include <algorithm>
#include <vector>

#include "core/text.h"

namespace gateway::daemon {
namespace {

using core::Json;

constexpr int kSchemaVersion = 1;

Json or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

/// What came from the hospital before what it belongs to.
Json inbox_counts(const Vitals& vitals) {
  return vitals.queue.is_object() ? vitals.queue["inbox"] : Json();
}

Json queue_counts(const Vitals& vitals) {
  if (!vitals.queue.is_object()) return {};
  return Json::object({{"waiting", vitals.queue["waiting"]},
                       {"parked", vitals.queue["parked"]},
                       {"oldest_age_s", vitals.queue["oldest_age_s"]}});
}

const Json& counts_of(const Vitals& vitals, std::string_view uplink) {
  static const Json none;
  for (const Json& row : vitals.queue["by_uplink"].items()) {
    if (row["uplink"].text() == uplink) return row;
  }
  return none;
}

/// The running service's view joined with the queue's; the last success is the later of what this
/// run saw and what the database remembers of earlier ones (FHIR instants compare as text).
Json uplink_entry(const Vitals& vitals, const Json& uplink) {
  const Json& counts = counts_of(vitals, uplink["name"].text());
  Json entry = Json::object(
      {{"name", uplink["name"]}, {"kind", uplink["kind"]}, {"state", uplink["state"]}});
  entry.set("paused", uplink["paused"].boolean());
  const std::string_view seen = uplink["last_success"].text();
  const std::string_view stored = counts["last_success"].text();
  entry.set("last_success", or_null(std::string(std::max(seen, stored))));
  for (const char* member : {"waiting", "parked", "oldest_age_s"}) {
    entry.set(member, counts[member]);
  }
  return entry;
}

Json numbers_only(const Json& object) {
  Json out = Json::object();
  for (const auto& [name, value] : object.members()) {
    if (value.is_number()) out.append_member(name, value);
  }
  return out;
}

/// What waits for an uplink that was renamed or taken out of the configuration.
std::vector<Problem> left_behind(const Vitals& vitals) {
  std::vector<Problem> problems;
  if (!vitals.uplinks.is_array()) return problems;
  for (const Json& row : vitals.queue["by_uplink"].items()) {
    const auto configured = vitals.uplinks.items();
    const bool is_configured = std::any_of(
        configured.begin(), configured.end(),
        [&row](const Json& uplink) { return uplink["name"].text() == row["uplink"].text(); });
    const std::int64_t items =
        row["waiting"].integer().value_or(0) + row["parked"].integer().value_or(0);
    if (is_configured || items == 0) continue;
    problems.push_back(
        {"uplinks",
         core::cat(items, " items are queued for \"", row["uplink"].text(),
                   "\", which is not configured: put [uplink.", row["uplink"].text(),
                   "] back to have them sent there; uplinks that are configured have all that is "
                   "held queued for themselves")});
  }
  return problems;
}

/// What a person stopped, so that nobody forgets it.
std::vector<Problem> paused(const Vitals& vitals) {
  std::vector<Problem> problems;
  for (const Json& uplink : vitals.uplinks.items()) {
    if (!uplink["paused"].boolean()) continue;
    const std::string_view name = uplink["name"].text();
    problems.push_back({core::cat("uplink ", name),
                        core::cat("is paused: nothing goes out or comes in by it; go on with "
                                  "clinic-gateway uplinks resume --uplink ",
                                  name)});
  }
  return problems;
}

Json problems_of(const Vitals& vitals) {
  Json problems = Json::array();
  const auto add = [&problems](const Problem& problem) {
    problems.add(Json::object({{"component", problem.component}, {"problem", problem.text}}));
  };
  for (const Problem& problem : vitals.problems) add(problem);
  for (const Problem& problem : left_behind(vitals)) add(problem);
  if (const auto open = vitals.queue["criticals"].integer().value_or(0); open > 0) {
    add({std::string(kCriticalComponent),
         core::cat(open, " wait for somebody to take note: clinic-gateway criticals")});
  }
  for (const Problem& problem : paused(vitals)) add(problem);
  return problems;
}

Json disk_of(const Vitals& vitals) {
  return Json::object(
      {{"free_bytes", vitals.disk.free_bytes ? Json(*vitals.disk.free_bytes) : Json()},
       {"reserve_bytes", vitals.disk.reserve_bytes}});
}

/// The worst first: what is damaged, then what is full.
const char* storage_state(const Vitals& vitals) {
  const Json& scrub = vitals.storage["scrub"];
  if (scrub["damaged_now"].integer().value_or(0) > 0 || scrub["database"].text() == "damaged")
    return "damaged";
  if (vitals.disk.free_bytes && *vitals.disk.free_bytes < vitals.disk.reserve_bytes) return "full";
  if (vitals.storage["retention"]["state"].text() == "short_of_space") return "short_of_space";
  if (vitals.storage["retention"]["state"].text() == "making_room") return "making_room";
  return "ok";
}

Json storage_of(const Vitals& vitals) {
  if (!vitals.storage.is_object()) return {};
  const Json& retention = vitals.storage["retention"];
  const Json& prefetch = vitals.storage["prefetch"];
  const Json& scrub = vitals.storage["scrub"];
  return Json::object({{"state", storage_state(vitals)},
                       {"evicted", retention["evicted"]},
                       {"evicted_bytes", retention["evicted_bytes"]},
                       {"differing", retention["differing"]},
                       {"missing", retention["missing"]},
                       {"prefetch", prefetch["state"]},
                       {"prefetched_studies", prefetch["studies"]},
                       {"prefetched_bytes", prefetch["held_bytes"]},
                       {"damaged_objects", scrub["damaged_now"]},
                       {"scrub", scrub["state"]},
                       {"scrub_finished_at", scrub["finished_at"]},
                       {"database", scrub["database"]}});
}

Json state_of(const Vitals& vitals) { return std::string(to_string(vitals.opening.state)); }

}  // namespace

std::vector<Problem> device_problems(const Json& report) {
  std::vector<Problem> found;
  for (const Json& device : report["devices"].items()) {
    const std::string name = core::cat("device ", device["name"].text());
    const std::string_view line = device["problem"].text();
    if (!line.empty()) found.push_back({name, std::string(line)});
    for (const Json& limit : device["limits"].items())
      found.push_back({core::cat(kLimitComponent, device["name"].text()),
                       core::cat(limit.text(), "; look after it now")});
    if (!device["silent"].boolean()) continue;
    const std::string_view seen = device["last_seen"].text();
    found.push_back({name, core::cat("has said nothing since ", seen.empty() ? "the start" : seen,
                                     "; look whether it is on and its cable in place")});
  }
  return found;
}

std::optional<Problem> space_problem(const Vitals& vitals) {
  if (!vitals.disk.free_bytes) return std::nullopt;
  const std::uint64_t free = *vitals.disk.free_bytes;
  const std::uint64_t reserve = vitals.disk.reserve_bytes;
  const std::string room =
      core::cat(free >> 20, " MB are free, ", reserve >> 20, " MB are the reserve: ");
  if (free < reserve) return Problem{"disk", room + "nothing new is taken in; make room"};
  // What an image had taken until it was refused is free again.
  if (free >= 2 * reserve || !vitals.dicom["out_of_space"].boolean()) return std::nullopt;
  return Problem{"disk", room +
                             "an image was refused for lack of space and none was taken in since; "
                             "make room"};
}

Json status_document(const Vitals& vitals) {
  Json queue = queue_counts(vitals);
  if (queue.is_object()) {
    queue.set("letters", vitals.queue["letters"]);
    queue.set("criticals", vitals.queue["criticals"]);
  }
  Json uplinks = Json::array();
  for (const Json& uplink : vitals.uplinks.items()) {
    Json entry = uplink_entry(vitals, uplink);
    entry.set("last_error", uplink["last_error"]);
    entry.set("in_flight", uplink["in_flight"]);
    entry.set("server", uplink["server"]);
    uplinks.add(std::move(entry));
  }
  return Json::object(
      {{"state", state_of(vitals)},
       {"reason", or_null(vitals.opening.reason)},
       {"version", vitals.version},
       {"site", vitals.site},
       {"boot_id", vitals.boot_id},
       {"uptime_s", vitals.uptime_s},
       {"since", core::to_instant(vitals.opening.since)},
       {"set_up", vitals.opening.set_up},
       {"key_protection", or_null(vitals.opening.key_protection)},
       {"queue", std::move(queue)},
       {"inbox", inbox_counts(vitals)},
       {"reviews", vitals.reviews},
       {"uplinks", std::move(uplinks)},
       {"dicom", vitals.dicom},
       {"hl7", vitals.hl7},
       {"astm", vitals.astm},
       {"poct1a", vitals.poct1a},
       {"folder", vitals.folder},
       {"mqtt_devices", vitals.mqtt_devices},
       {"socket", vitals.socket},
       {"mqtt",
        Json::object({{"configured", vitals.mqtt.configured},
                      {"connected", vitals.mqtt.connected},
                      {"connects", vitals.mqtt.connects},
                      {"last_error", or_null(vitals.mqtt.last_error)},
                      {"waiting", vitals.mqtt.waiting ? Json(*vitals.mqtt.waiting) : Json()}})},
       {"disk", disk_of(vitals)},
       {"storage", storage_of(vitals)},
       {"power", vitals.power},
       {"wear", vitals.wear},
       {"problems", problems_of(vitals)}});
}

Json health_document(const Vitals& vitals, std::uint64_t seq) {
  Json uplinks = Json::array();
  for (const Json& uplink : vitals.uplinks.items()) uplinks.add(uplink_entry(vitals, uplink));
  return Json::object({{"schema", kSchemaVersion},
                       {"seq", seq},
                       {"boot_id", vitals.boot_id},
                       {"at", core::to_instant(vitals.now)},
                       {"site", vitals.site},
                       {"version", vitals.version},
                       {"state", state_of(vitals)},
                       {"since", core::to_instant(vitals.opening.since)},
                       {"uptime_s", vitals.uptime_s},
                       {"key_protection", or_null(vitals.opening.key_protection)},
                       {"queue", queue_counts(vitals)},
                       {"inbox", inbox_counts(vitals)},
                       {"reviews", vitals.reviews},
                       {"uplinks", std::move(uplinks)},
                       {"dicom", Json::object({{"state", vitals.dicom["state"]},
                                               {"counts", numbers_only(vitals.dicom["counts"])}})},
                       {"mqtt", Json::object({{"connects", vitals.mqtt.connects}})},
                       {"disk", disk_of(vitals)},
                       {"storage", storage_of(vitals)},
                       {"power", vitals.power},
                       {"wear", vitals.wear},
                       {"problems", problems_of(vitals)}});
}

Json mqtt_status_document(const Vitals& vitals) {
  return Json::object({{"schema", kSchemaVersion},
                       {"state", state_of(vitals)},
                       {"since", core::to_instant(vitals.opening.since)},
                       {"boot_id", vitals.boot_id},
                       {"version", vitals.version},
                       {"site", vitals.site}});
}

Json mqtt_offline_document(const std::string& boot_id) {
  return Json::object({{"schema", kSchemaVersion}, {"state", "offline"}, {"boot_id", boot_id}});
}

}  // namespace gateway::daemon
