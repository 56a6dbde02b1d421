#include "daemon/cli/setup_command.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/text.h"
#include "daemon/cli/keys_command.h"
#include "daemon/cli/site_file.h"
#include "daemon/cli/tables.h"
#include "daemon/cli/terminal.h"
#include "daemon/ops/probes.h"
#include "daemon/settings.h"

namespace gateway::cli {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::Json;

constexpr useconds_t kWaitUs = 500'000;
constexpr int kStartWaitTries = 60;
constexpr int kOpenWaitTries = 20;

struct Asked {
  std::string from;
  std::string config = daemon::kConfigFile;
  bool offline = false;
};

struct Question {
  const char* key;
  const char* words;
};
/// What belongs together. Without an answer to its first question the others aren't asked.
struct Part {
  const char* title;
  const char* table;  // goes as a whole with the answer to the first question; empty: stays
  const char* check;  // the name of the probe that tries it; empty: none
  std::array<Question, 4> questions;
  Question implied;  // key and value, where the first question has an answer
};
constexpr std::array<Part, 5> kParts{{
    {"This gateway",
     "",
     "",
     {{{"site.name", "Its name among all gateways (a-z, 0-9, -)"},
       {"site.timezone", "Time zone of the clinic, as Africa/Blantyre"},
       {"dicom.ae_title", "Its DICOM AE title"},
       {"dicom.patient_id_issuer", "Whose numbers the modalities' patient ids are, a URI"}}},
     {}},
    {"The hospital's FHIR server",
     "uplink.his",
     "uplink his",
     {{{"uplink.his.url", "Its URL, https://..."},
       {"uplink.his.ca_file", "File with the authority of its certificate; none: the system's"},
       {"uplink.his.username", "User name there"},
       {"uplink.his.password_file", "File that holds the password"}}},
     {"uplink.his.kind", "fhir"}},
    {"The hospital's PACS",
     "uplink.pacs",
     "uplink pacs",
     {{{"uplink.pacs.url", "URL of its DICOMweb, https://..."},
       {"uplink.pacs.ca_file", "File with the authority of its certificate; none: the system's"},
       {"uplink.pacs.username", "User name there"},
       {"uplink.pacs.password_file", "File that holds the password"}}},
     {"uplink.pacs.kind", "stow"}},
    {"The broker of central operations",
     "mqtt",
     "mqtt broker",
     {{{"mqtt.host", "Its host name"},
       {"mqtt.ca_file", "File with the authority of its certificate; none: the system's"},
       {"mqtt.username", "User name there"},
       {"mqtt.password_file", "File that holds the password"}}},
     {}},
    {"The first modality",
     "dicom.peer.modality-1",
     "",
     {{{"dicom.peer.modality-1.ae_title", "Its AE title"},
       {"dicom.peer.modality-1.character_set", "Its character set, where it names none itself"},
       {},
       {}}},
     {}},
}};

/// An empty line keeps what there is, "-" takes it away. False at the end of the input.
bool ask_one(SiteFile& site, const Question& question) {
  const std::string before = site.text_in_use(question.key);
  std::cout << "  " << question.words << (before.empty() ? "" : cat(" [", before, "]")) << ": "
            << std::flush;
  std::string answer;
  if (!std::getline(std::cin, answer)) return false;
  const std::string_view given = core::trim(answer);
  if (given == "-") {
    site.set(question.key, "");
  } else if (!given.empty()) {
    site.set(question.key, std::string(given));
  }
  return true;
}

bool ask_part(SiteFile& site, const Part& part) {
  std::cout << '\n' << part.title << '\n';
  for (const Question& question : part.questions) {
    if (question.key == nullptr) break;
    if (!ask_one(site, question)) return false;
    if (&question != &part.questions.front()) continue;
    const bool is_ours = !site.text(question.key).empty();
    if (is_ours && part.implied.key) site.set(part.implied.key, part.implied.words);
    if (is_ours || !site.text_in_use(question.key).empty()) continue;
    if (*part.table != '\0') site.drop(part.table);
    break;
  }
  return true;
}

std::string line_of(const daemon::PeerCheck& check) {
  return check.problem.empty() ? cat("  ok    ", check.name, ": ", check.detail, '\n')
                               : cat("  FAIL  ", check.name, ": ", check.problem, '\n');
}

std::vector<daemon::PeerCheck> probe(const core::Config& config) {
  return daemon::probe_peers(config, daemon::read_settings(config));
}

/// Part by part, each tried before the next.
core::Status ask_all(SiteFile& site) {
  std::cout << "An empty answer keeps what stands in brackets, - takes it away. Nothing is written "
               "before the end.\n";
  for (const Part& part : kParts) {
    while (true) {
      if (!ask_part(site, part)) return Error(Code::cancelled, "nothing was changed");
      const auto config = site.rehearse();
      if (!config.ok()) {
        std::cout << config.error().message() << '\n';
        continue;
      }
      for (const daemon::PeerCheck& check : probe(*config))
        if (check.name == part.check) std::cout << line_of(check);
      break;
    }
  }
  return {};
}

bool agrees(const char* question) {
  std::cout << question << " (yes/no) " << std::flush;
  std::string answer;
  return std::getline(std::cin, answer) && answer == "yes";
}

/// Where systemd runs the gateway and we may tell it to.
bool restart_service(const Asked& asked) {
  std::error_code ignored;
  if (asked.config != daemon::kConfigFile || ::geteuid() != 0 ||
      !std::filesystem::is_directory("/run/systemd/system", ignored))
    return false;
  return std::system("systemctl restart clinic-gateway.service") == 0;
}

/// A daemon that was just started takes its time to answer, and then to open its keys.
core::Result<Json> await_status(const CommonOptions& common, bool restarted) {
  auto status = ask(common.socket, get("/v1/status"), kTimeout);
  for (int i = 0; restarted && !status.ok() && i < kStartWaitTries; ++i) {
    ::usleep(kWaitUs);
    status = ask(common.socket, get("/v1/status"), kTimeout);
  }
  for (int i = 0; status.ok() && (*status)["state"].text() == "locked" && i < kOpenWaitTries; ++i) {
    ::usleep(kWaitUs);
    status = ask(common.socket, get("/v1/status"), kTimeout);
  }
  return status;
}

Json checks_of(const std::vector<daemon::PeerCheck>& checks) {
  Json rows = Json::array();
  for (const daemon::PeerCheck& check : checks)
    rows.add(
        Json::object({{"name", check.name}, {"detail", check.detail}, {"problem", check.problem}}));
  return rows;
}

std::string format_report(const Json& report) {
  std::string text;
  for (const Json& key : report["changed"].items()) text += cat("  set   ", key.text(), '\n');
  if (text.empty()) text = "  nothing is to be changed\n";
  text = cat(report["file"].text(), '\n', text);
  for (const Json& check : report["checks"].items())
    text += line_of({std::string(check["name"].text()), std::string(check["detail"].text()),
                     std::string(check["problem"].text())});
  text += cat("Enter in each modality, as storage and as worklist server: AE title ",
              report["ae_title"].text(), ", port ", report["port"].number_text(), '\n');
  const std::string_view state = report["state"].text();
  if (state.empty())
    return text + "The gateway does not answer: start it, then run setup again for its keys.\n";
  if (report["changed"].size() > 0 && !report["restarted"].boolean())
    text += "What was set counts from its next start.\n";
  return cat(text, "The gateway is ", state, ".\n");
}

bool has_recovery_code(const CommonOptions& common) {
  const auto slots = ask(common.socket, get("/v1/keys"), kTimeout);
  if (!slots.ok()) return true;  // nothing to be done about it now
  const auto items = (*slots)["slots"].items();
  return std::any_of(items.begin(), items.end(),
                     [](const Json& slot) { return slot["kind"].text() == "recovery"; });
}

/// Opens it, and has a recovery code made where there is none.
int see_to_keys(const CommonOptions& common, const Json& status, bool interactive) {
  if (status["state"].text() != "ready") {
    if (!interactive)
      return complain(common, Error(Code::locked,
                                    "the gateway has no open key: clinic-gateway unlock, then run "
                                    "setup again for its recovery code"));
    if (const int unlocked = unlock_gateway(common); unlocked != kOk) return unlocked;
  }
  return has_recovery_code(common) ? kOk : add_recovery_code(common);
}

int write_and_report(const CommonOptions& common, const Asked& asked, SiteFile& site) {
  const bool interactive = asked.from.empty();
  const auto config = site.rehearse();
  if (!config.ok()) return complain(common, config.error());
  const auto checks = probe(*config);
  const bool all_reached = std::all_of(checks.begin(), checks.end(),
                                       [](const auto& check) { return check.problem.empty(); });
  const std::vector<std::string> changed = site.changed();
  if (!changed.empty() && !all_reached && !asked.offline && !interactive) {
    for (const auto& check : checks) std::fputs(line_of(check).c_str(), stderr);
    return complain(common, Error(Code::refused,
                                  "nothing was changed: not everybody named there is reached; "
                                  "--offline sets it up for a network that is still to come"));
  }
  if (!changed.empty() && interactive && !agrees("\nWrite this and use it?"))
    return complain(common, Error(Code::cancelled, "nothing was changed"));
  if (!changed.empty()) {
    if (const core::Status written = site.write(); !written.ok())
      return complain(common, written.error());
  }
  const bool restarted = !changed.empty() && restart_service(asked);
  const auto status = await_status(common, restarted);
  Json keys = Json::array();
  for (const std::string& key : changed) keys.add(key);
  const Json report = Json::object({{"file", site.path()},
                                    {"changed", keys},
                                    {"checks", checks_of(checks)},
                                    {"ae_title", config->text("dicom.ae_title")},
                                    {"port", config->integer("dicom.port")},
                                    {"restarted", restarted},
                                    {"state", status.ok() ? (*status)["state"] : Json()}});
  const int printed = print(common, report, format_report);
  if (!status.ok()) return kUnreachable;
  const int keyed = see_to_keys(common, *status, interactive);
  return keyed != kOk ? keyed : all_reached ? printed : kFailed;
}

int set_up(const CommonOptions& common, const Asked& asked) {
  auto site = SiteFile::open(asked.config);
  if (!site.ok()) return complain(common, site.error());
  if (asked.from.empty() && !is_interactive())
    return complain(common, Error(Code::invalid, "no terminal to ask at; use --from FILE"));
  const core::Status answered = asked.from.empty() ? ask_all(*site) : site->take_from(asked.from);
  if (!answered.ok()) return complain(common, answered.error());
  return write_and_report(common, asked, *site);
}

}  // namespace

void add_setup_command(CLI::App& app, const CommonOptions& common, std::function<int()>& action) {
  const auto asked = std::make_shared<Asked>();
  CLI::App* setup = app.add_subcommand(
      "setup", "set the gateway up, or change it: asks, tries each part, writes at the end");
  setup->fallthrough();
  setup->add_option("--from", asked->from,
                    "a file with the answers, in the configuration's own keys");
  setup->add_flag("--offline", asked->offline,
                  "write although hospital, PACS or broker are not reached yet");
  setup->add_option("--config", asked->config, "the main file of the configuration")
      ->capture_default_str();
  setup->callback(
      [&common, &action, asked] { action = [&common, asked] { return set_up(common, *asked); }; });
}

}  // namespace gateway::cli
