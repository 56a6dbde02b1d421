// How worn the disks under the state folder are, in smartctl's words (smartmontools, JSON 1.0). A
// disk answers root only, so clinic-gateway-wear.service asks it and leaves FOLDER/NAME.json, which
// is read here as input like any other: what cannot be read is a problem, never a good sign. Any
// thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/json.h"
#include "daemon/ops/vitals.h"

namespace gateway::daemon {

struct DiskWear {
  std::string disk;                               // by its name in /sys/block
  std::optional<bool> passed = {};                // its own judgement of itself
  bool is_too_warm = false;                       // the one thing wrong with it
  std::optional<int> used_percent = {};           // of the life its maker gives it; may pass 100
  std::optional<std::int64_t> media_errors = {};  // blocks it could not read
  std::optional<std::int64_t> age_s = {};         // of the report; none: there is no report
  std::string problem = {};  // why nothing is known though there is a report; else empty
};

/// A disk that has no such figures (a virtual one, a USB bridge) is no problem: none are set. Pure.
DiskWear read_wear(std::string disk, std::string_view report);

/// Reports lie in memory that a boot empties, so none is older than the box is up, whatever the
/// wall clock was when it was written. Pure.
std::int64_t report_age_s(core::Wall written, core::Wall now, std::chrono::seconds uptime);

/// Names, in /sys/block, of the disks below the block device MAJOR:MINOR, through partitions,
/// volumes, encryption and RAID; none: that cannot be told (Btrfs). `sys`: where sysfs is.
std::vector<std::string> disks_below(const std::string& sys, unsigned major, unsigned minor);

/// Of the disks under `state_folder`; where these cannot be told, of all there are reports on.
/// Empty: nobody asks the disks of this box.
std::vector<DiskWear> look_at_wear(const std::string& reports_folder,
                                   const std::string& state_folder, const core::Clock& clock);

/// What a person has to know: component kWearComponent while there is time to order another disk,
/// kDiskFailureComponent when there is none.
std::vector<Problem> wear_problems(const std::vector<DiskWear>& disks);
void add_wear(Vitals& vitals, const std::vector<DiskWear>& disks);
/// [{"disk","passed","used_percent","media_errors","age_s"}]; null where nobody asks the disks.
core::Json wear_document(const std::vector<DiskWear>& disks);

}  // namespace gateway::daemon
