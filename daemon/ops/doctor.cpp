#include "daemon/ops/doctor.h"

#include <sys/stat.h>

#include <algorithm>

#include "core/files.h"
#include "core/text.h"
#include "crypto/backup_folder.h"
#include "crypto/backup_format.h"
#include "crypto/keyring.h"
#include "daemon/config_faults.h"
#include "daemon/ops/machine_checks.h"
#include "daemon/ops/probes.h"
#include "daemon/passphrase_source.h"
#include "daemon/settings.h"

namespace gateway::daemon {
namespace {

using core::cat;
using core::Json;

Finding examine_disk(const Settings& settings) {
  auto free_bytes = core::system_files().free_bytes(settings.state_folder);
  if (!free_bytes.ok()) {
    return bad(Verdict::fail, "disk", free_bytes.error().message(),
               cat("check that ", settings.state_folder, " exists and its disk is mounted"));
  }
  const std::string detail = cat(*free_bytes >> 20, " MB free, reserve ",
                                 settings.reserve_bytes >> 20, " MB, ", settings.state_folder);
  if (*free_bytes < settings.reserve_bytes) {
    return bad(Verdict::fail, "disk", detail,
               "make room or lower storage.reserve_mb: nothing new is taken in");
  }
  if (*free_bytes < 2 * settings.reserve_bytes) {
    return bad(Verdict::warn, "disk", detail, "the disk fills up; make room");
  }
  return good("disk", detail);
}

Finding examine_state_folder(const Settings& settings) {
  struct stat facts {};
  const std::string& folder = settings.state_folder;
  if (::stat(folder.c_str(), &facts) != 0 || !S_ISDIR(facts.st_mode)) {
    return bad(Verdict::fail, "state folder", cat(folder, " is not there"),
               "the daemon makes it at its first start; look at journalctl -u clinic-gateway");
  }
  if ((facts.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return bad(Verdict::warn, "state folder", cat(folder, " is open to other users"),
               cat("chmod 0700 ", folder));
  }
  return good("state folder", cat(folder, ", closed to other users"));
}

/// What a damaged database is restored from.
Finding examine_backup(const std::string& folder, const std::string& state_folder) {
  core::Files& files = core::system_files();
  const std::string advice =
      cat("run sudo clinic-gateway backup --to ", folder,
          ", with the medium mounted so that the service's user may read it");
  const auto run = crypto::current_backup_run(files, folder);
  if (!run.ok()) return bad(Verdict::warn, "backup", run.error().message(), advice);
  const auto root = crypto::Keyring::stored_root(files, state_folder);
  const auto its_root =
      crypto::Keyring::stored_root(files, cat(folder, '/', crypto::run_path(*run)));
  if (root.ok() && its_root.ok() && *root != *its_root) {
    return bad(Verdict::warn, "backup",
               cat(folder,
                   " holds one made before the root key was rotated: it restores a whole "
                   "box, but no damaged database by itself"),
               advice);
  }
  return good("backup", cat(folder, " holds one"));
}

/// What is left when the everyday way in is gone.
Finding examine_slots(const Settings& settings) {
  const auto slots = crypto::Keyring::stored_slots(core::system_files(), settings.state_folder);
  if (!slots.ok()) {
    return bad(Verdict::fail, "key slots", slots.error().message(),
               "without its keyring nothing of what is held can be read");
  }
  std::string kinds;
  bool spare = false;
  for (const crypto::KeySlot& slot : *slots) {
    kinds += cat(kinds.empty() ? "" : ", ", crypto::protection_of(slot.info));
    spare = spare || slot.info.kind == "recovery" || slot.info.kind == "escrow";
  }
  if (spare) return good("key slots", kinds);
  return bad(Verdict::warn, "key slots", cat(kinds, "; no recovery code and no escrow key"),
             "run clinic-gateway keys add recovery and keep the paper away from the gateway");
}

bool is_sealed_to_tpm(const Settings& settings) {
  const auto slots = crypto::Keyring::stored_slots(core::system_files(), settings.state_folder);
  return slots.ok() && std::ranges::any_of(*slots, [](const crypto::KeySlot& slot) {
           return crypto::protection_of(slot.info) == "tpm2";
         });
}

Finding examine_keys(const Settings& settings, DaemonSeen daemon) {
  const auto set_up = crypto::Keyring::exists(core::system_files(), settings.state_folder);
  if (!set_up.ok()) {
    return bad(Verdict::warn, "keys", set_up.error().message(),
               "run as root: sudo clinic-gateway "
               "doctor");
  }
  const PassphraseSource source(settings.passphrase_file, "");
  if (!source.configured()) {
    if (daemon == DaemonSeen::running) {
      return good("keys", *set_up ? "keyring there; opened by its slots or an operator"
                                  : "no keyring yet; passphrase by credential or operator");
    }
    return bad(Verdict::warn, "keys",
               *set_up ? "keyring there, no passphrase file configured" : "no keyring yet",
               "unless a systemd credential is set, run clinic-gateway unlock after each start");
  }
  const auto passphrase = source.read();
  if (!passphrase.ok()) {
    return bad(Verdict::warn, "keys", passphrase.error().message(),
               "without it the gateway starts LOCKED");
  }
  return good("keys", *set_up ? "keyring and passphrase file there"
                              : "passphrase file there; the first start makes the keyring");
}

constexpr char kEditAndReload[] =
    "correct it in the file, then sudo systemctl reload-or-restart clinic-gateway";

/// With what the daemon starts without.
void add_mistakes(const ConfigFaults& faults, const std::string& path,
                  std::vector<Finding>& findings) {
  if (faults.fatal.empty() && faults.left_out.empty() && faults.absent.empty())
    findings.push_back(good("configuration", cat(path, " is ok")));
  for (const auto* lines : {&faults.fatal, &faults.left_out}) {
    for (const std::string& line : *lines)
      findings.push_back(bad(Verdict::fail, "configuration", line, kEditAndReload));
  }
  for (const std::string& line : faults.absent)
    findings.push_back(bad(Verdict::warn, "configuration", line,
                           "mend it, then sudo systemctl reload-or-restart clinic-gateway"));
}

/// What ends the wait.
Finding examine_opening(const OpeningReport& opening) {
  if (opening.state == OpeningState::ready)
    return good("state", cat("ready since ", core::to_instant(opening.since)));
  return bad(Verdict::fail, "state", cat(daemon::to_string(opening.state), ": ", opening.reason),
             opening.state == OpeningState::locked
                 ? "nothing is taken in or sent until it is unlocked: sudo clinic-gateway unlock"
                 : "nothing is taken in or sent until the cause is gone and the gateway opens, by "
                   "itself or after sudo systemctl restart clinic-gateway");
}

Finding problem_finding(const Problem& problem) {
  const std::string& part = problem.component;
  constexpr char kByItself[] = "the daemon tries again by itself";
  if (part == "restart")
    return bad(Verdict::warn, part, problem.text, "sudo systemctl restart clinic-gateway");
  if (part == kWearComponent)
    return bad(Verdict::warn, part, problem.text, "the disk is asked again by itself");
  if (part == kDiskFailureComponent)
    return bad(Verdict::fail, part, problem.text,
               "clinic-gateway backup; then clinic-gateway restore onto another disk");
  return bad(Verdict::fail, part, problem.text, part == "config" ? kEditAndReload : kByItself);
}

/// Where no problem says more.
Finding examine_wear(const Json& disks) {
  if (disks.is_null())
    return good(std::string(kWearComponent),
                "not known: no smartctl of smartmontools asks the disk");
  std::string said;
  for (const Json& disk : disks.items()) {
    const auto used = disk["used_percent"].integer();
    said += cat(said.empty() ? "" : "; ", disk["disk"].text(), ": ",
                used                       ? cat(*used, " % of its life is used")
                : disk["passed"].boolean() ? "it says that it is well"
                                           : "it says nothing of its wear");
  }
  return good(std::string(kWearComponent), said);
}

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::ok:
      return "ok";
    case Verdict::warn:
      return "warn";
    case Verdict::fail:
      return "fail";
  }
  return "";
}

}  // namespace

std::vector<Finding> examine_machine(const std::string& config_path, DaemonSeen daemon) {
  std::vector<Finding> findings{examine_clock()};
  const auto keys = all_config_keys();
  auto reading = core::Config::read(config_path, keys);
  const ConfigFaults faults = leave_out_faults(reading, keys);
  add_mistakes(faults, config_path, findings);
  // No daemon starts with these, and nobody knows which folder and peers were meant.
  if (!faults.fatal.empty()) return findings;
  const core::Config& config = reading.config;
  const Settings settings = read_settings(config);
  const auto add = [&findings](std::vector<Finding> more) {
    for (Finding& finding : more) findings.push_back(std::move(finding));
  };
  findings.push_back(examine_disk(settings));
  findings.push_back(examine_state_folder(settings));
  findings.push_back(examine_keys(settings, daemon));
  const auto set_up = crypto::Keyring::exists(core::system_files(), settings.state_folder);
  if (set_up.ok() && *set_up) findings.push_back(examine_slots(settings));
  findings.push_back(examine_tpm(is_sealed_to_tpm(settings)));
  if (const std::string backup = config.text("backup.dir"); !backup.empty())
    findings.push_back(examine_backup(backup, settings.state_folder));
  if (faults.dicom.empty()) add(examine_ports(config, daemon));
  add(examine_certificates(config, core::system_clock().wall()));
  for (PeerCheck& check : probe_peers(config, settings)) {
    if (check.problem.empty()) {
      findings.push_back(bad(check.soon ? Verdict::warn : Verdict::ok, check.name, check.detail,
                             check.soon ? "renew the certificate" : ""));
    } else {
      findings.push_back(bad(Verdict::fail, check.name, check.problem,
                             "what is queued waits and is sent once it is reached"));
    }
  }
  return findings;
}

std::vector<Finding> examine_vitals(const Vitals& vitals) {
  std::vector<Finding> findings{examine_opening(vitals.opening)};
  for (const Problem& problem : vitals.problems) {
    if (problem.component == "storage") continue;  // said by the state
    findings.push_back(problem_finding(problem));
  }
  const bool is_worn = std::ranges::any_of(vitals.problems, [](const Problem& problem) {
    return problem.component == kWearComponent || problem.component == kDiskFailureComponent;
  });
  if (!is_worn) findings.push_back(examine_wear(vitals.wear));
  if (vitals.mqtt.configured && !vitals.mqtt.connected) {
    findings.push_back(
        bad(Verdict::warn, "mqtt session",
            vitals.mqtt.last_error.empty() ? "not connected yet" : vitals.mqtt.last_error,
            "the daemon tries again by itself"));
  } else if (vitals.mqtt.configured) {
    findings.push_back(good("mqtt session", "connected"));
  }
  const std::int64_t parked = vitals.queue["parked"].integer().value_or(0);
  if (parked > 0) {
    findings.push_back(
        bad(Verdict::warn, "queue", cat(parked, " items were refused and are parked"),
            "clinic-gateway queue shows why; clinic-gateway retry sends them again"));
  } else if (vitals.queue.is_object()) {
    findings.push_back(good("queue", cat(vitals.queue["waiting"].number_text(), " waiting")));
  }
  return findings;
}

Json findings_document(const std::vector<Finding>& findings) {
  Json rows = Json::array();
  for (const Finding& finding : findings) {
    rows.add(Json::object({{"check", finding.check},
                           {"verdict", to_string(finding.verdict)},
                           {"detail", finding.detail},
                           {"advice", finding.advice}}));
  }
  return Json::object({{"findings", std::move(rows)}});
}

}  // namespace gateway::daemon
