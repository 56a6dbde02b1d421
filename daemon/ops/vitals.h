// What the daemon knows of itself at one moment, and the three documents made of it: the control
// socket's status (docs/man/clinic-gateway.1), MQTT status and MQTT health
// (docs/mqtt/*.schema.json). Pure. The MQTT documents leave the clinic: they hold states, counts,
// times and our own sentences, never a peer's words, which might quote a patient.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/json.h"
#include "daemon/opening.h"

namespace gateway::daemon {

/// A part that does not run, in our own words.
struct Problem {
  std::string component;
  std::string text;
};

/// In front of the device's name: a value of it is beyond a limit.
inline constexpr std::string_view kLimitComponent = "limit ";

/// What a disk's wear comes to: while there is time to order another, and when there is none. The
/// first is not a part that does not run.
inline constexpr std::string_view kWearComponent = "wear";
inline constexpr std::string_view kDiskFailureComponent = "disk failure";

/// Results that cannot wait, which nobody has acknowledged: not a part that does not run.
inline constexpr std::string_view kCriticalComponent = "critical results";

struct Vitals {
  OpeningReport opening;
  std::string version;
  std::string site;
  std::string boot_id;  // random per start of the daemon
  core::Wall now;
  std::int64_t uptime_s = 0;
  core::Json queue;    // sync::health_report(); null while not ready
  core::Json reviews;  // sync::reviews_health(); null while not ready
  core::Json uplinks;  // sync::SyncService::report(); null while not ready
  core::Json dicom;    // the adapter's report
  core::Json hl7;      // the adapter's report; null where no device is configured
  core::Json astm;     // the same of ASTM devices
  core::Json poct1a;   // of POCT1-A devices
  core::Json folder;   // and of drop folders
  core::Json mqtt_devices;
  core::Json socket;   // of third-party adapters
  core::Json storage;  // sync::Upkeep::report(); null while not ready
  struct {
    bool configured = false;
    bool connected = false;
    std::uint64_t connects = 0;
    std::string last_error;
    std::optional<std::int64_t> waiting;  // kept until the broker takes it; absent while not ready
  } mqtt;
  struct {
    std::optional<std::uint64_t> free_bytes;  // absent: the disk did not answer
    std::uint64_t reserve_bytes = 0;
  } disk;
  core::Json power;  // power_document(); null where no UPS is configured
  core::Json wear;   // wear_document(); null where nobody asks the disks
  std::vector<Problem> problems;
};

/// Devices of an adapter's report that say nothing although they should, or are not there; what is
/// beyond a limit of its profile, as component "limit NAME".
std::vector<Problem> device_problems(const core::Json& report);
/// While nothing is taken in at the reserve, or an image was refused for lack of space and none
/// stored since; until there is twice the reserve.
std::optional<Problem> space_problem(const Vitals& vitals);

core::Json status_document(const Vitals& vitals);
/// `seq` counts the health messages of this boot_id.
core::Json health_document(const Vitals& vitals, std::uint64_t seq);
core::Json mqtt_status_document(const Vitals& vitals);
/// The will, and what a clean stop leaves behind.
core::Json mqtt_offline_document(const std::string& boot_id);

}  // namespace gateway::daemon
