#include "daemon/ops/wear.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <utility>

#include "core/files.h"
#include "core/text.h"

namespace gateway::daemon {
namespace {

namespace fs = std::filesystem;
using core::cat;
using core::Json;

constexpr std::size_t kReportBytesMax = 256u << 10;
constexpr std::size_t kReportsMax = 64;
constexpr std::size_t kDepthMax = 16;
constexpr int kLayersMax = 8;
constexpr std::string_view kSuffix = ".json";

// Bits of smartctl's exit status (smartctl(8)).
constexpr std::int64_t kNotOpened = 2;
constexpr std::int64_t kFailing = 8;

constexpr int kUsedWarningPercent = 80;
constexpr int kUsedUpPercent = 100;
// Of the bits of an NVMe disk's critical warning: only its temperature (NVMe 1.4, figure 94).
constexpr std::int64_t kOnlyTooWarm = 2;
// The timer asks every six hours.
constexpr std::chrono::hours kAgeMax{48};

struct Attribute {
  std::int64_t id;
  std::string_view name;
};

// Makers use one number for several things; smartctl's data base of drives tells them apart by
// name. Of these the normalized value is what is left of 100.
constexpr std::array<Attribute, 12> kLifeLeft{{{169, "Remaining_Lifetime_Perc"},
                                               {173, "Wear_Leveling_Count"},
                                               {177, "Wear_Leveling_Count"},
                                               {202, "Perc_Rated_Life_Used"},
                                               {202, "Percent_Lifetime_Remain"},
                                               {202, "Percent_Lifetime_Used"},
                                               {231, "Lifetime_Left"},
                                               {231, "Perc_Rated_Life_Remain"},
                                               {231, "Percent_Lifetime_Remain"},
                                               {231, "SSD_Life_Left"},
                                               {231, "SSD_Life_Left_Perc"},
                                               {233, "Media_Wearout_Indicator"}}};
// And of these the raw one counts.
constexpr std::array<Attribute, 3> kUnreadable{{{187, "Reported_Uncorrect"},
                                                {187, "Uncorrectable_Error_Cnt"},
                                                {197, "Current_Pending_Sector"}}};

template <std::size_t Count>
bool is_one_of(const std::array<Attribute, Count>& attributes, const Json& row) {
  return std::ranges::any_of(attributes, [&row](const Attribute& one) {
    return row["id"].integer() == one.id && row["name"].text() == one.name;
  });
}

void take_used(DiskWear& wear, const Json& number) {
  constexpr int kMost = 255;  // NVMe's largest
  const auto percent = number.integer();
  if (!percent || *percent < 0) return;
  wear.used_percent = std::max(wear.used_percent.value_or(0),
                               static_cast<int>(std::min<std::int64_t>(*percent, kMost)));
}

void take_errors(DiskWear& wear, const Json& number) {
  constexpr std::int64_t kMost = 1'000'000'000;  // what is more is no count
  const auto errors = number.integer();
  if (!errors || *errors < 0) return;
  wear.media_errors = std::min(kMost, wear.media_errors.value_or(0) + std::min(kMost, *errors));
}

void take_attributes(DiskWear& wear, const Json& table) {
  for (const Json& row : table.items()) {
    const auto left = row["value"].integer();
    if (is_one_of(kLifeLeft, row) && left && *left >= 0 && *left <= 100)
      take_used(wear, Json(100 - *left));
    if (is_one_of(kUnreadable, row)) take_errors(wear, row["raw"]["value"]);
  }
}

/// "Percentage Used Endurance Indicator" (ACS-4, 9.5.8).
void take_statistics(DiskWear& wear, const Json& pages) {
  constexpr int kSolidState = 7;
  constexpr int kEndurance = 8;
  for (const Json& page : pages.items()) {
    if (page["number"].integer() != kSolidState) continue;
    for (const Json& row : page["table"].items())
      if (row["offset"].integer() == kEndurance) take_used(wear, row["value"]);
  }
}

void add_disks(const fs::path& device, int layers, std::set<std::string>& disks) {
  std::error_code none;
  const bool is_partition = fs::exists(device / "partition", none);
  if (is_partition) return add_disks(device.parent_path(), layers, disks);
  const auto parts = core::system_files().list(device / "slaves");
  if (parts.ok() && !parts->empty() && layers < kLayersMax) {
    for (const std::string& part : *parts) {
      const fs::path real = fs::canonical(device / "slaves" / part, none);
      if (!none) add_disks(real, layers + 1, disks);
    }
    return;
  }
  disks.insert(device.filename().string());
}

std::vector<std::string> reported(const std::string& folder) {
  auto names = core::system_files().list(folder);
  if (!names.ok()) return {};
  std::vector<std::string> disks;
  for (const std::string& name : *names) {
    if (name.starts_with('.') || !name.ends_with(kSuffix) || disks.size() == kReportsMax) continue;
    disks.push_back(name.substr(0, name.size() - kSuffix.size()));
  }
  std::ranges::sort(disks);
  return disks;
}

DiskWear look_at(const std::string& folder, const std::string& disk, const core::Clock& clock) {
  const std::string file = cat(folder, '/', disk, kSuffix);
  struct stat about {};
  if (::stat(file.c_str(), &about) != 0) return {.disk = disk};
  DiskWear wear{.disk = disk};
  if (!S_ISREG(about.st_mode) || about.st_size > static_cast<off_t>(kReportBytesMax)) {
    wear.problem = "it is no file of a report's size";
  } else if (const auto report = core::read_whole_file(core::system_files(), file, kReportBytesMax);
             report.ok()) {
    wear = read_wear(disk, *report);
  } else {
    wear.problem = report.error().message();
  }
  const core::Wall written = std::chrono::system_clock::from_time_t(about.st_mtime);
  const auto uptime =
      std::chrono::duration_cast<std::chrono::seconds>(clock.monotonic().time_since_epoch());
  wear.age_s = report_age_s(written, clock.wall(), uptime);
  return wear;
}

Problem problem_of(std::string_view component, const DiskWear& wear, std::string_view what) {
  return {std::string(component), cat("disk ", wear.disk, ": ", what)};
}

}  // namespace

DiskWear read_wear(std::string disk, std::string_view report) {
  DiskWear wear{.disk = std::move(disk)};
  const auto json = Json::parse(report, kDepthMax);
  const auto said =
      json.ok() ? (*json)["smartctl"]["exit_status"].integer() : std::optional<std::int64_t>();
  if (!said || (*json)["json_format_version"][std::size_t{0}].integer() != 1) {
    wear.problem = "the report is not what smartctl writes";
    return wear;
  }
  if (*said & kNotOpened) {
    wear.problem = "it does not answer";
    return wear;
  }
  const Json& passed = (*json)["smart_status"]["passed"];
  if (passed.is_bool()) wear.passed = passed.boolean();
  if (*said & kFailing) wear.passed = false;
  const Json& nvme = (*json)["nvme_smart_health_information_log"];
  // smartctl calls any warning a failure; heat goes with the afternoon.
  wear.is_too_warm = nvme["critical_warning"].integer() == kOnlyTooWarm;
  if (wear.is_too_warm) wear.passed = true;
  take_used(wear, nvme["percentage_used"]);
  take_errors(wear, nvme["media_errors"]);
  take_statistics(wear, (*json)["ata_device_statistics"]["pages"]);
  take_attributes(wear, (*json)["ata_smart_attributes"]["table"]);
  return wear;
}

std::int64_t report_age_s(core::Wall written, core::Wall now, std::chrono::seconds uptime) {
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(now - written);
  return std::clamp(age, std::chrono::seconds(0), uptime).count();
}

std::vector<std::string> disks_below(const std::string& sys, unsigned major, unsigned minor) {
  std::error_code none;
  const fs::path device =
      fs::canonical(fs::path(sys) / "dev" / "block" / cat(major, ':', minor), none);
  if (none) return {};
  std::set<std::string> disks;
  add_disks(device, 0, disks);
  return {disks.begin(), disks.end()};
}

std::vector<DiskWear> look_at_wear(const std::string& reports_folder,
                                   const std::string& state_folder, const core::Clock& clock) {
  const auto all = reported(reports_folder);
  if (all.empty()) return {};
  struct stat about {};
  std::vector<std::string> disks;
  if (::stat(state_folder.c_str(), &about) == 0)
    disks = disks_below("/sys", major(about.st_dev), minor(about.st_dev));
  std::vector<DiskWear> found;
  for (const std::string& disk : disks.empty() ? all : disks)
    found.push_back(look_at(reports_folder, disk, clock));
  return found;
}

std::vector<Problem> wear_problems(const std::vector<DiskWear>& disks) {
  std::vector<Problem> problems;
  for (const DiskWear& wear : disks) {
    const auto add = [&](std::string_view component, std::string_view what) {
      problems.push_back(problem_of(component, wear, what));
    };
    const int used = wear.used_percent.value_or(0);
    if (!wear.problem.empty()) add(kWearComponent, wear.problem + "; see smartctl --all");
    if (wear.is_too_warm) add(kWearComponent, "it is too warm; see to the cooling of the box");
    if (wear.passed == false)
      add(kDiskFailureComponent, "it says that it is failing; back up and replace it now");
    if (used >= kUsedUpPercent)
      add(kDiskFailureComponent,
          cat(used, " % of the life it was made for is used; back up and replace it now"));
    if (used >= kUsedWarningPercent && used < kUsedUpPercent)
      add(kWearComponent, cat(used, " % of the life it was made for is used; order another"));
    if (wear.media_errors.value_or(0) > 0)
      add(kWearComponent,
          cat("it could not read ", *wear.media_errors, " of its blocks; order another"));
    if (wear.age_s.value_or(0) > std::chrono::seconds(kAgeMax).count())
      add(kWearComponent,
          "it was asked last two days ago or before; see systemctl status clinic-gateway-wear");
  }
  return problems;
}

Json wear_document(const std::vector<DiskWear>& disks) {
  if (disks.empty()) return {};
  const auto or_null = [](const auto& value) { return value ? Json(*value) : Json(); };
  Json rows = Json::array();
  for (const DiskWear& wear : disks) {
    rows.add(Json::object({{"disk", wear.disk},
                           {"passed", or_null(wear.passed)},
                           {"used_percent", or_null(wear.used_percent)},
                           {"media_errors", or_null(wear.media_errors)},
                           {"age_s", or_null(wear.age_s)}}));
  }
  return rows;
}

void add_wear(Vitals& vitals, const std::vector<DiskWear>& disks) {
  vitals.wear = wear_document(disks);
  for (Problem& problem : wear_problems(disks)) vitals.problems.push_back(std::move(problem));
}

}  // namespace gateway::daemon
