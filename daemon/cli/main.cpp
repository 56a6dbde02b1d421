// clinic-gateway: the operator's command. Talks to the daemon over its control socket.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/files.h"
#include "core/text.h"
#include "crypto/escrow.h"
#include "daemon/cli/accounts_command.h"
#include "daemon/cli/audit.h"
#include "daemon/cli/backup.h"
#include "daemon/cli/client.h"
#include "daemon/cli/commands_command.h"
#include "daemon/cli/criticals_command.h"
#include "daemon/cli/devices_command.h"
#include "daemon/cli/exchange.h"
#include "daemon/cli/keys_command.h"
#include "daemon/cli/letters_command.h"
#include "daemon/cli/logs_command.h"
#include "daemon/cli/peers_command.h"
#include "daemon/cli/restore.h"
#include "daemon/cli/results_command.h"
#include "daemon/cli/reviews_command.h"
#include "daemon/cli/setup_command.h"
#include "daemon/cli/studies_command.h"
#include "daemon/cli/support_bundle_command.h"
#include "daemon/cli/tables.h"
#include "daemon/cli/terminal.h"
#include "daemon/cli/uplinks_command.h"
#include "daemon/ops/audit_routes.h"
#include "daemon/ops/doctor.h"
#include "daemon/private_memory.h"
#include "daemon/settings.h"
#include "daemon/version.h"

namespace gateway::cli {
namespace {

using core::cat;
using core::Json;

struct Options : CommonOptions {
  Options() { socket = daemon::kControlSocket; }
  std::string config = daemon::kConfigFile;
  std::int64_t limit = 50;
  std::int64_t number = 0;
  std::string study_uid;
  std::string what = "all";
  std::vector<std::uint32_t> given_up;  // epochs
  std::string folder;
  std::string state_folder;
  std::string escrow_key;
  bool verify = false;
  bool dismiss = false;
};

std::string format_retried(const Json& answer) {
  return cat(answer["retried"].number_text(), " parked items are sent again.\n");
}

int retry(const Options& options) {
  const Json body = Json::object({{"number", options.number}});
  const auto answer = ask(options.socket, post("/v1/retry", body.dump()), kTimeout);
  if (!answer.ok()) return complain(options, answer.error());
  return print(options, *answer, format_retried);
}

std::string format_pinned(const Json& answer) {
  return answer["pinned"].boolean() ? "The study's images stay on this gateway.\n"
                                    : "The study's images leave as others do.\n";
}

int pin(const Options& options, bool pinned) {
  const Json body = Json::object({{"study_uid", options.study_uid}, {"pinned", pinned}});
  const auto answer = ask(options.socket, post("/v1/pin", body.dump()), kTimeout);
  if (!answer.ok()) return complain(options, answer.error());
  return print(options, *answer, format_pinned);
}

std::string format_rebuild(const Json&) {
  return "The index is rebuilt when the gateway next opens its keys, within half a minute if they "
         "are known; see clinic-gateway status and the log.\n";
}

int rebuild_index(const Options& options) {
  const auto answer = ask(options.socket, post("/v1/rebuild-index", "{}"), kTimeout);
  if (!answer.ok()) return complain(options, answer.error());
  return print(options, *answer, format_rebuild);
}

std::string format_reloaded(const Json& answer) {
  std::string text;
  for (const Json& key : answer["taken"].items()) text += cat(key.text(), ": taken up\n");
  for (const Json& key : answer["at_restart"].items())
    text += cat(key.text(), ": after sudo systemctl restart clinic-gateway only\n");
  return text.empty() ? "Nothing was changed.\n" : text;
}

int reload(const Options& options) {
  const auto answer = ask(options.socket, post("/v1/reload", "{}"), kLongTimeout);
  if (!answer.ok()) return complain(options, answer.error());
  return print(options, *answer, format_reloaded);
}

int doctor(const Options& options) {
  auto answer = ask(options.socket, get("/v1/doctor"), kLongTimeout);
  if (!answer.ok()) {
    if (answer.error().code() != core::Code::unavailable) return complain(options, answer.error());
    auto findings = daemon::examine_machine(options.config, daemon::DaemonSeen::absent);
    findings.insert(findings.begin(),
                    daemon::Finding{"daemon", daemon::Verdict::fail, answer.error().message(),
                                    "start it: sudo systemctl start clinic-gateway"});
    answer = daemon::findings_document(findings);
  }
  const int printed = print(options, *answer, format_findings);
  for (const Json& finding : (*answer)["findings"].items()) {
    if (finding["verdict"].text() == "fail") return kFailed;
  }
  return printed;
}

int rotate(const Options& options) {
  const auto answer = rotate_keys(options.socket, options.what, options.given_up);
  if (!answer.ok()) return complain(options, answer.error());
  return print(options, *answer, format_rotation);
}

int backup(const Options& options) {
  const auto outcome =
      options.verify ? verify_backup(options.folder) : back_up(options.socket, options.folder);
  if (!outcome.ok()) return complain(options, outcome.error());
  const int printed = print(options, *outcome, options.verify ? format_verdict : format_backup);
  const char* damage = options.verify ? "bad" : "damaged";
  return (*outcome)[damage].size() > 0 ? kFailed : printed;
}

int dismiss_restore(const Options& options) {
  const auto answer = ask(options.socket, post("/v1/restore/dismiss", "{}"), kTimeout);
  if (!answer.ok()) return complain(options, answer.error());
  return print(options, *answer, [](const Json&) { return std::string("Dismissed.\n"); });
}

core::Result<crypto::SlotOpener> read_opener(const Options& options) {
  constexpr std::size_t kPemMax = 16U << 10;
  if (options.escrow_key.empty()) {
    GW_TRY(std::string text,
           read_secret("Passphrase or recovery code: ", "passphrase or recovery code"));
    crypto::Passphrase passphrase{crypto::Secret::copy_of(text)};
    ::explicit_bzero(text.data(), text.size());
    return crypto::SlotOpener(std::move(passphrase));
  }
  GW_TRY(std::string pem, core::read_whole_file(core::system_files(), options.escrow_key, kPemMax));
  auto key = crypto::read_escrow_key(pem);
  ::explicit_bzero(pem.data(), pem.size());
  if (!key.ok()) return std::move(key).error();
  return crypto::SlotOpener(std::move(*key));
}

int restore(Options options) {
  if (options.dismiss) return dismiss_restore(options);
  if (options.state_folder.empty()) {
    auto configured = configured_state_folder(options.config);
    if (!configured.ok()) return complain(options, configured.error());
    options.state_folder = std::move(*configured);
  }
  if (const auto found = find_backup(options.folder); !found.ok())
    return complain(options, found.error());
  const auto opener = read_opener(options);
  if (!opener.ok()) return complain(options, opener.error());
  const auto report = cli::restore(options.folder, options.state_folder, *opener);
  if (!report.ok()) return complain(options, report.error());
  const int printed = print(options, *report, format_restored);
  const bool is_whole =
      (*report)["missing"].integer().value_or(0) == 0 && (*report)["database_lost"].text().empty();
  return is_whole ? printed : kFailed;
}

void add_backup_commands(CLI::App& app, Options& options, std::function<int()>& action) {
  CLI::App* to = app.add_subcommand(
      "backup", "bring a backup folder up to date, encrypted, and read back what was written");
  to->add_option("--to", options.folder, "the backup's folder")->required();
  to->add_flag("--verify", options.verify,
               "read the whole backup and check it; what is damaged the next run writes anew");
  to->callback([&] { action = [&] { return backup(options); }; });
  CLI::App* from = app.add_subcommand(
      "restore",
      "put a backup onto a box that holds nothing yet; the service is stopped or locked");
  from->add_option("--from", options.folder, "the backup's folder");
  from->add_option("--config", options.config, "configuration that names the state folder")
      ->capture_default_str();
  from->add_option("--state-dir", options.state_folder, "state folder, instead of the configured");
  from->add_option("--escrow-key", options.escrow_key,
                   "open it with central's X25519 private key in PEM");
  from->add_flag("--dismiss", options.dismiss, "a restore's losses have been dealt with");
  from->callback([&, from] {
    if (options.folder.empty() && !options.dismiss) throw CLI::RequiredError("--from");
    action = [&] { return restore(options); };
  });
  for (CLI::App* sub : {to, from}) sub->fallthrough();
}

void add_rotation(CLI::App& keys, Options& options, std::function<int()>& action) {
  CLI::App* sub =
      keys.add_subcommand("rotate", "new keys for what is stored, while the gateway works");
  sub->add_option("what", options.what, "database, epoch, root or all")
      ->check(CLI::IsMember({"database", "epoch", "root", "all"}))
      ->capture_default_str();
  sub->add_option("--give-up", options.given_up,
                  "an epoch whose lost key no copy is left of, and what is sealed under it");
  sub->fallthrough();
  sub->callback([&] { action = [&] { return rotate(options); }; });
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app("Look after this clinic gateway.");
  app.footer(
      "Exit codes: 0 ok, 1 failed (or doctor found a failure), 2 wrong command line, "
      "3 the daemon does not answer, 4 the gateway is locked.\nSee clinic-gateway(1).");
  app.add_option("--socket", options.socket, "the daemon's control socket")->capture_default_str();
  app.add_flag("--json", options.json, "print JSON instead of tables");
  app.set_version_flag("--version", cat("clinic-gateway ", daemon::kVersion));
  app.require_subcommand(1);
  app.fallthrough();

  std::function<int()> action;
  std::optional<bool> pinning;
  const auto command = [&](const char* name, const char* what, std::function<int()> act) {
    CLI::App* sub = app.add_subcommand(name, what);
    sub->fallthrough();
    sub->callback([&action, act = std::move(act)] { action = act; });
    return sub;
  };
  const auto limited = [&](CLI::App* sub) {
    sub->add_option("--limit", options.limit, "most rows shown")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
  };
  command("status", "state, queue, uplinks, disk and what is wrong",
          [&] { return show(options, "/v1/status", format_status); });
  CLI::App* studies = app.add_subcommand("studies", "the newest studies and how far they got");
  studies->fallthrough();
  studies->callback([&] {
    // A subcommand's own action stands.
    if (action) return;
    action = [&] {
      if (pinning) return pin(options, *pinning);
      return show(options, cat("/v1/studies?limit=", options.limit), format_studies);
    };
  });
  studies->add_subcommand("list", "the same")->fallthrough();
  add_studies_commands(*studies, options, action);
  limited(studies);
  const auto pins = [&](const char* name, const char* what, bool pinned) {
    CLI::App* sub = studies->add_subcommand(name, what);
    sub->fallthrough();
    sub->add_option("study", options.study_uid, "Study Instance UID")->required();
    sub->callback([&pinning, pinned] { pinning = pinned; });
  };
  pins("pin", "keep a study's images on this gateway", true);
  pins("unpin", "let them leave as others do", false);
  command("storage", "retention, scrub, and images that are damaged or unconfirmed",
          [&] { return show(options, "/v1/storage", format_storage); });
  command("repair", "mend what was lost", [&] { return rebuild_index(options); })
      ->require_subcommand(1)
      ->add_subcommand("rebuild-index", "with the database gone: make it anew from the objects")
      ->fallthrough();
  limited(command("queue", "what waits to be sent and what was refused, with the reason", [&] {
    return show(options, cat("/v1/queue?limit=", options.limit), format_queue);
  }));
  command("retry", "send refused items again", [&] { return retry(options); })
      ->add_option("number", options.number, "number of the item in the queue; without it: all")
      ->check(CLI::NonNegativeNumber);
  command("reload", "take up the changed configuration, without ending what runs",
          [&] { return reload(options); });
  add_accounts_commands(app, options, action);
  add_commands_commands(app, options, action);
  add_devices_commands(app, options, action);
  add_letters_commands(app, options, action);
  add_criticals_commands(app, options, action);
  add_results_commands(app, options, action);
  add_logs_command(app, options, action);
  add_setup_command(app, options, action);
  add_support_bundle_command(app, options, action);
  add_peers_commands(app, options, action);
  add_reviews_commands(app, options, action);
  add_uplinks_commands(app, options, action);
  add_keys_commands(app, options, action);
  command("doctor", "check configuration, clock, disk, keys and every peer; say what to do",
          [&] { return doctor(options); })
      ->add_option("--config", options.config, "configuration, used while the daemon is down")
      ->capture_default_str();
  add_backup_commands(app, options, action);
  add_rotation(*app.get_subcommand("keys"), options, action);
  CLI::App* const audit = app.add_subcommand("audit", "who did what: check it, hand it out");
  audit->require_subcommand(1)->fallthrough();
  AuditOptions trail;
  const auto audit_command = [&](const char* name, const char* what,
                                 core::Status (*act)(const AuditOptions&)) {
    CLI::App* sub = audit->add_subcommand(name, what);
    sub->fallthrough();
    sub->callback([&action, &options, &trail, act] {
      action = [&options, &trail, act] {
        trail.socket = options.socket;
        trail.json = options.json;
        const core::Status done = act(trail);
        return done.ok() ? kOk : complain(options, done.error());
      };
    });
    return sub;
  };
  audit_command("verify", "read the whole chain; with a checkpoint also tell rows cut off",
                verify_audit)
      ->add_option("--checkpoint", trail.checkpoint_file,
                   "a checkpoint as published over MQTT, JSON, to compare with");
  CLI::App* const exported =
      audit_command("export", "FHIR R4 AuditEvents (IHE BALP), one JSON line each", export_audit);
  const auto is_moment = [](const std::string& given) {
    const auto moment = daemon::audit_moment(given);
    return moment.ok() ? std::string() : moment.error().message();
  };
  exported->add_option("--since", trail.since, "from this date (UTC) or FHIR instant on")
      ->check(is_moment);
  exported->add_option("--until", trail.until, "before this date (UTC) or FHIR instant")
      ->check(is_moment);
  exported->add_option("--patient", trail.patient, "of this patient: Patient/ID");
  exported->add_option("--actor", trail.actor,
                       "by this actor, e.g. ae:CT_ROOM1, uplink:pacs, operator");
  audit_command("checkpoint", "a signed checkpoint of this moment, with the public key",
                print_checkpoint);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // The command line was not read to its end: the flag may not have been seen yet.
    options.json = std::find(argv, argv + argc, std::string_view("--json")) != argv + argc;
    if (!options.json || error.get_exit_code() == 0) return app.exit(error) == 0 ? kOk : kUsage;
    (void)complain(options, {core::Code::invalid, error.what()});
    return kUsage;
  }
  return action();
}

}  // namespace
}  // namespace gateway::cli

int main(int argc, char** argv) {
  gateway::daemon::keep_memory_private();
  return gateway::cli::run(argc, argv);
}
