#include "daemon/api/console/overview.h"

#include <algorithm>
#include <string>

#include "daemon/ops/vitals.h"

namespace gateway::daemon::console {
namespace {

using core::Json;

std::int64_t count(const Json& number) { return number.integer().value_or(0); }

struct Link {
  std::string state = "none";
  Json down = Json::array();
};

/// "unknown" is an uplink that was not asked yet: neither up nor down.
Link link_of(const Json& uplinks) {
  Link link;
  bool any_up = false;
  for (const Json& uplink : uplinks.items()) {
    const std::string_view state = uplink["state"].text();
    any_up = any_up || state == "up";
    if (state == "down") link.down.add(uplink["name"]);
  }
  if (uplinks.size() == 0) return link;
  link.state = link.down.size() == 0 ? "up" : any_up ? "partly" : "down";
  return link;
}

std::string last_success_of(const Json& uplinks) {
  std::string last;
  for (const Json& uplink : uplinks.items())
    last = std::max(last, std::string(uplink["last_success"].text()));
  return last;
}

Json alarm(std::string_view code, std::string_view component, std::string_view text,
           std::int64_t many) {
  return Json::object({{"code", code}, {"component", component}, {"text", text}, {"count", many}});
}

/// What a problem is for whoever looks at the page: `code` of its alarm, and the name in it.
struct Matter {
  std::string_view code = "problem";  // a part that does not work
  std::string_view name;
};

Matter matter_of(const Json& problem) {
  const std::string_view component = problem["component"].text();
  const auto behind = [&](std::string_view prefix) { return component.substr(prefix.size()); };
  if (component == kCriticalComponent) return {"criticals", ""};
  if (component == kWearComponent) return {"wear", ""};
  if (component == "power") return {"power", ""};
  if (component == "restart") return {"waits", component};
  if (component.starts_with(kLimitComponent)) return {"limit", behind(kLimitComponent)};
  if (component.starts_with("device ")) return {"device", behind("device ")};
  if (component.starts_with("uplink ")) return {"waits", behind("uplink ")};
  return {"problem", component};
}

bool is_limit(const Json& problem) { return matter_of(problem).code == "limit"; }
bool is_part(const Json& problem) { return matter_of(problem).code == "problem"; }

Json alarms_of(const Json& status, const Link& link, std::int64_t letters) {
  Json alarms = Json::array();
  if (status["state"].text() != "ready")
    alarms.add(alarm("not_open", "keys", status["reason"].text(), 1));
  if (status["storage"]["state"].text() == "damaged")
    alarms.add(alarm("damaged", "storage", "", count(status["storage"]["damaged_objects"])));
  if (const auto open = count(status["queue"]["criticals"]); open > 0)
    alarms.add(alarm("criticals", "", "", open));
  for (const Json& problem : status["problems"].items()) {
    const Matter matter = matter_of(problem);
    // Those have been told above, by their number.
    if (matter.code == "criticals") continue;
    alarms.add(alarm(matter.code, matter.name, problem["problem"].text(), 1));
  }
  for (const Json& name : link.down.items()) alarms.add(alarm("link", name.text(), "", 1));
  if (const auto parked = count(status["queue"]["parked"]); parked > 0)
    alarms.add(alarm("parked", "", "", parked));
  if (const auto open = count(status["reviews"]["open"]); open > 0)
    alarms.add(alarm("reviews", "", "", open));
  if (letters > 0) alarms.add(alarm("letters", "", "", letters));
  return alarms;
}

bool is_out_of_room(const Json& status) {
  const auto free_bytes = status["disk"]["free_bytes"].integer();
  return free_bytes && *free_bytes < count(status["disk"]["reserve_bytes"]);
}

std::string headline_of(const Json& status, const Link& link, std::int64_t letters) {
  const std::string_view state = status["state"].text();
  if (state == "failed") return "failed";
  if (state != "ready") return status["set_up"].boolean() ? "locked" : "not_set_up";
  if (is_out_of_room(status)) return "no_room";
  const auto& problems = status["problems"].items();
  if (std::ranges::any_of(problems, is_limit)) return "beyond_limit";
  if (std::ranges::any_of(problems, is_part) || status["storage"]["state"].text() == "damaged")
    return "part_down";
  if (!problems.empty() || count(status["queue"]["criticals"]) > 0 ||
      count(status["queue"]["parked"]) > 0 || count(status["reviews"]["open"]) > 0 || letters > 0)
    return "needs_person";
  if (link.state == "none") return "stand_alone";
  if (link.state != "up") return "link_down";
  return count(status["queue"]["waiting"]) > 0 ? "sending" : "all_sent";
}

const char* level_of(std::string_view headline) {
  if (headline == "all_sent" || headline == "stand_alone") return "good";
  if (headline == "sending") return "busy";
  return headline == "needs_person" || headline == "link_down" ? "attention" : "bad";
}

}  // namespace

Json overview_document(const Json& status) {
  const Link link = link_of(status["uplinks"]);
  const std::int64_t letters = count(status["queue"]["letters"]);
  const std::string headline = headline_of(status, link, letters);
  Json uplinks = Json::array();
  for (const Json& uplink : status["uplinks"].items()) {
    uplinks.add(Json::object({{"name", uplink["name"]},
                              {"kind", uplink["kind"]},
                              {"state", uplink["state"]},
                              {"waiting", uplink["waiting"]},
                              {"last_success", uplink["last_success"]},
                              {"last_error", uplink["last_error"]}}));
  }
  const std::string last = last_success_of(status["uplinks"]);
  return Json::object({{"level", level_of(headline)},
                       {"headline", headline},
                       {"link", Json::object({{"state", link.state}, {"down", link.down}})},
                       {"waiting", status["queue"]["waiting"]},
                       {"oldest_age_s", status["queue"]["oldest_age_s"]},
                       {"last_success", last.empty() ? Json() : Json(last)},
                       {"parked", status["queue"]["parked"]},
                       {"reviews", status["reviews"]["open"]},
                       {"letters", letters},
                       {"alarms", alarms_of(status, link, letters)},
                       {"site", status["site"]},
                       {"version", status["version"]},
                       {"state", status["state"]},
                       {"reason", status["reason"]},
                       {"uplinks", uplinks}});
}

}  // namespace gateway::daemon::console
