#include "crypto/restore_report.h"

#include <utility>

#include "core/json.h"
#include "core/text.h"

namespace gateway::crypto {
namespace {

constexpr std::size_t kReportMax = 1U << 20;

std::string report_path(const std::string& folder) { return core::cat(folder, "/restored.json"); }

}  // namespace

core::Result<bool> has_restore_report(core::Files& files, const std::string& state_folder) {
  return files.exists(report_path(state_folder));
}

core::Result<RestoreReport> read_restore_report(core::Files& files,
                                                const std::string& state_folder) {
  GW_TRY(const std::string text,
         core::read_whole_file(files, report_path(state_folder), kReportMax));
  auto json = core::Json::parse(text);
  // What it says is lost; that the queues must be looked at again is the safe reading.
  RestoreReport report;
  if (!json.ok()) {
    report.what = "gateway";
    report.reason = "an earlier restore's report is damaged";
    return report;
  }
  report.what = (*json)["what"].text();
  report.from = (*json)["from"].text();
  report.created = (*json)["backup_created"].text();
  report.at = (*json)["at"].text();
  report.reason = (*json)["reason"].text();
  report.aside = (*json)["damaged_database"].text();
  report.database_lost = (*json)["database_lost"].text();
  report.objects = static_cast<std::uint64_t>((*json)["objects"].integer().value_or(0));
  report.unknown_objects =
      static_cast<std::uint64_t>((*json)["unknown_objects"].integer().value_or(0));
  report.missing_count = static_cast<std::uint64_t>((*json)["missing_count"].integer().value_or(0));
  for (const core::Json& id : (*json)["missing_objects"].items()) {
    report.missing_objects.emplace_back(id.text());
  }
  report.lost_actions = static_cast<std::uint64_t>((*json)["lost_actions"].integer().value_or(0));
  report.lost_until = (*json)["lost_until"].text();
  report.resync = (*json)["resync"].boolean();
  return report;
}

core::Status write_restore_report(core::Files& files, const std::string& state_folder,
                                  const RestoreReport& report) {
  core::Json missing = core::Json::array();
  for (const std::string& id : report.missing_objects) missing.add(id);
  const core::Json json = core::Json::object({{"what", report.what},
                                              {"from", report.from},
                                              {"backup_created", report.created},
                                              {"at", report.at},
                                              {"reason", report.reason},
                                              {"damaged_database", report.aside},
                                              {"database_lost", report.database_lost},
                                              {"objects", report.objects},
                                              {"unknown_objects", report.unknown_objects},
                                              {"missing_count", report.missing_count},
                                              {"missing_objects", std::move(missing)},
                                              {"lost_actions", report.lost_actions},
                                              {"lost_until", report.lost_until},
                                              {"resync", report.resync}});
  return core::write_file_durably(files, report_path(state_folder), json.dump() + "\n");
}

core::Status dismiss_restore_report(core::Files& files, const std::string& state_folder) {
  GW_CHECK(files.remove(report_path(state_folder)));
  return files.sync_folder(state_folder);
}

std::string describe(const RestoreReport& report) {
  std::string text = core::cat("the ", report.what, " was restored from the backup of ",
                               report.created.empty() ? "an unknown time" : report.created);
  if (!report.reason.empty()) text += core::cat(", because ", report.reason);
  if (!report.database_lost.empty()) {
    text += core::cat(", but for its database (", report.database_lost,
                      "): the images were indexed anew, all else it held is lost");
  }
  text += "; what was recorded after it is lost here and is fetched again where a peer has it";
  if (report.lost_actions > 0) {
    text +=
        core::cat("; at least ", report.lost_actions, " recorded actions until ", report.lost_until,
                  " are not in it: results that no peer has must be sent again by their "
                  "devices, edits that no peer has must be made again (images were indexed "
                  "anew)");
  }
  if (report.missing_count > 0) {
    text += core::cat("; ", report.missing_count, " objects could not be recovered");
  }
  if (report.unknown_objects > 0) {
    text += core::cat("; ", report.unknown_objects,
                      " objects on the disk could not be read and are named in the log");
  }
  if (!report.aside.empty()) text += core::cat("; the damaged database is kept as ", report.aside);
  return text + "; when it is dealt with: clinic-gateway restore --dismiss";
}

}  // namespace gateway::crypto
