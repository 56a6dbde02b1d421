#include "daemon/reload_plan.h"

#include <algorithm>
#include <array>
#include <functional>
#include <string_view>

#include "core/config_change.h"
#include "core/text.h"
#include "daemon/device_listeners.h"

namespace gateway::daemon {
namespace {

using core::cat;
using core::Config;
using core::is_within;

enum class Part {
  restart,
  log_level,
  power,
  api,
  console,
  uplink,
  upkeep,
  dicom,
  device,
  every_device,
  brokers
};

struct Rule {
  std::string_view table;
  Part part;
};

// The first that fits. What none names is read where the gateway begins: the tables of storage,
// keys and control, what ingest is opened with, and the session that orders a reload.
constexpr std::array kRules{Rule{"dicom.patient_id_issuer", Part::restart},
                            Rule{"dicom.route", Part::restart},
                            Rule{"dicom.commitment", Part::upkeep},
                            Rule{"dicom", Part::dicom},
                            Rule{"device", Part::device},
                            Rule{"profiles", Part::every_device},
                            Rule{"broker", Part::brokers},
                            Rule{"uplink", Part::uplink},
                            Rule{"retention", Part::upkeep},
                            Rule{"prefetch", Part::upkeep},
                            Rule{"scrub", Part::upkeep},
                            Rule{"api", Part::api},
                            Rule{"api_client", Part::api},
                            Rule{"console", Part::console},
                            Rule{"metrics", Part::console},
                            Rule{"power", Part::power},
                            Rule{"log.level", Part::log_level}};

Part part_of(std::string_view key) {
  const auto* const rule = std::find_if(
      kRules.begin(), kRules.end(), [key](const Rule& one) { return is_within(key, one.table); });
  return rule == kRules.end() ? Part::restart : rule->part;
}

/// The first `count` components of a key.
std::string beginning_of(const std::string& key, int count) {
  std::size_t end = 0;
  for (int i = 0; i < count && end != key.npos; ++i) end = key.find('.', end + (i > 0 ? 1 : 0));
  return key.substr(0, end);
}

std::string name_in(const std::string& key) {
  return beginning_of(key, 2).substr(key.find('.') + 1);
}

bool has_name(const Config& config, std::string_view table, const std::string& name) {
  const auto names = config.names(table);
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Ingest queues for the uplinks it was opened with.
bool is_same_uplink(const Config& now, const Config& next, const std::string& name) {
  const std::string kind = cat("uplink.", name, ".kind");
  return has_name(now, "uplink", name) && has_name(next, "uplink", name) &&
         now.text(kind) == next.text(kind);
}

class Planner {
 public:
  Planner(const Config& now, const Config& next) : now_(now), next_(next) {}

  void take(const std::string& key) {
    Part part = part_of(key);
    if (part == Part::uplink && !is_same_uplink(now_, next_, name_in(key))) part = Part::restart;
    if (part == Part::restart) return keep(key);
    plan_.taken.push_back(key);
    concern(part, key);
  }

  /// Of a key that says what it said. Sessions with a broker look at their certificates by
  /// themselves; a password they read once.
  void take_file(const std::string& key) {
    const Part part = part_of(key);
    const bool is_read_once = key.ends_with("password_file") || is_within(key, "commands.key");
    if (is_read_once || (part != Part::restart && part != Part::brokers)) take(key);
  }

  ReloadPlan plan() {
    keep_peers();
    return std::move(plan_);
  }

 private:
  /// An uplink that stays as it is until a restart goes on calling the peer it knows.
  void keep_peers() {
    for (const std::string& name : now_.names("uplink")) {
      if (!is_kept(cat("uplink.", name))) continue;
      const std::string peer = now_.text(cat("uplink.", name, ".peer"));
      if (peer.empty()) continue;
      keep_whole(cat("dicom.peer.", peer));
      for (const std::string& user : now_.texts(cat("dicom.peer.", peer, ".users")))
        keep_whole(cat("dicom.user.", user));
    }
  }

  void keep_whole(std::string table) {
    const auto is_of_it = [&](const std::string& key) { return is_within(key, table); };
    const auto moved =
        std::stable_partition(plan_.taken.begin(), plan_.taken.end(), std::not_fn(is_of_it));
    plan_.at_restart.insert(plan_.at_restart.end(), moved, plan_.taken.end());
    plan_.taken.erase(moved, plan_.taken.end());
    if (!is_kept(table)) plan_.kept.push_back(std::move(table));
  }

  bool is_kept(const std::string& unit) const {
    return std::find(plan_.kept.begin(), plan_.kept.end(), unit) != plan_.kept.end();
  }

  void keep(const std::string& key) {
    plan_.at_restart.push_back(key);
    std::string unit =
        beginning_of(key, is_within(key, "dicom") || is_within(key, "uplink") ? 2 : 1);
    if (!is_kept(unit)) plan_.kept.push_back(std::move(unit));
  }

  void concern(Part part, const std::string& key) {
    switch (part) {
      case Part::log_level:
        plan_.log_level = true;
        return;
      case Part::power:
        plan_.power = true;
        return;
      case Part::api:
        plan_.api = true;
        return;
      case Part::console:
        plan_.console = true;
        return;
      case Part::uplink:
      case Part::upkeep:
        plan_.uplinks = true;
        return;
      case Part::dicom:
        plan_.listeners.emplace(kDicomListener);
        return;
      case Part::brokers:
        plan_.listeners.emplace(kBrokersListener);
        return;
      case Part::device:
        return concern_device(name_in(key));
      case Part::every_device:
        for (const Config* config : {&now_, &next_})
          for (const std::string& name : config->names("device")) concern_device(name);
        return;
      case Part::restart:
        return;
    }
  }

  void concern_device(const std::string& name) {
    for (const Config* config : {&now_, &next_}) {
      const std::string key = cat("device.", name, ".protocol");
      if (config->has(key)) plan_.listeners.insert(listener_of(name, config->text(key)));
    }
  }

  const Config& now_;
  const Config& next_;
  ReloadPlan plan_;
};

}  // namespace

ReloadPlan plan_reload(const Config& now, const FileMarks& files_now, const Config& next,
                       const FileMarks& files_next) {
  Planner planner(now, next);
  const auto changed = core::differences(now, next);
  for (const std::string& key : changed) planner.take(key);
  for (const auto& [key, mark] : files_next) {
    const auto before = files_now.find(key);
    if (before != files_now.end() && before->second == mark) continue;
    if (!std::binary_search(changed.begin(), changed.end(), key)) planner.take_file(key);
  }
  return planner.plan();
}

}  // namespace gateway::daemon
