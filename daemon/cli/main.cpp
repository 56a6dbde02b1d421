// clinic-gateway: the operator's command. Talks to the daemon over its control socket.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>

#include "core/text.h"
#include "daemon/cli/audit.h"
#include "daemon/cli/client.h"
#include "daemon/cli/tables.h"
#include "daemon/cli/terminal.h"
#include "daemon/ops/doctor.h"
#include "daemon/settings.h"
#include "daemon/version.h"

namespace gateway::cli {
namespace {

using core::cat;
using core::Json;
using core::Milliseconds;

constexpr Milliseconds kTimeout{15'000};
// Opening a large database after an upgrade, or probing far servers, takes its time.
constexpr Milliseconds kLongTimeout{40'000};

struct Options {
  std::string socket = daemon::kControlSocket;
  std::string config = daemon::kConfigFile;
  bool json = false;
  std::int64_t limit = 50;
  std::int64_t number = 0;
};

core::net::HttpRequest get(std::string target) {
  core::net::HttpRequest request;
  request.target = std::move(target);
  return request;
}

core::net::HttpRequest post(std::string target, std::string body) {
  core::net::HttpRequest request;
  request.method = "POST";
  request.target = std::move(target);
  request.headers = {{"Content-Type", "application/json"}};
  request.body = std::move(body);
  return request;
}

int complain(const Options& options, const core::Error& error) {
  if (options.json) {
    const Json document = Json::object(
        {{"error",
          Json::object({{"code", core::to_string(error.code())}, {"message", error.message()}})}});
    std::printf("%s\n", document.dump().c_str());
  }
  std::fprintf(stderr, "clinic-gateway: %s\n", error.message().c_str());
  return exit_code(error);
}

using Format = std::string (*)(const Json&);

int print(const Options& options, const Json& document, Format format) {
  std::fputs(options.json ? cat(document.dump(), '\n').c_str() : format(document).c_str(), stdout);
  return std::fflush(stdout) == 0 ? kOk : kFailed;
}

int show(const Options& options, std::string target, Format format) {
  const auto answer = ask(options.socket, get(std::move(target)), kTimeout);
  if (!answer.ok()) return complain(options, answer.error());
  return print(options, *answer, format);
}

std::string format_retried(const Json& answer) {
  return cat(answer["retried"].number_text(), " parked items are sent again.\n");
}

std::string format_unlocked(const Json& answer) {
  return cat("The gateway is ", answer["state"].text(), ".\n");
}

int retry(const Options& options) {
  const Json body = Json::object({{"number", options.number}});
  const auto answer = ask(options.socket, post("/v1/retry", body.dump()), kTimeout);
  if (!answer.ok()) return complain(options, answer.error());
  return print(options, *answer, format_retried);
}

/// On a box that was never set up a slip of the finger would become the passphrase: ask twice.
core::Result<std::string> read_passphrase(bool is_new) {
  GW_TRY(std::string passphrase,
         read_secret(is_new ? "New passphrase for this gateway: " : "Passphrase: "));
  if (!is_new || !is_interactive()) return passphrase;
  auto again = read_secret("Once more: ");
  const bool same = again.ok() && *again == passphrase;
  if (again.ok()) ::explicit_bzero(again->data(), again->size());
  if (same) return passphrase;
  ::explicit_bzero(passphrase.data(), passphrase.size());
  return core::Error(core::Code::invalid, "the two passphrases differ; try again");
}

int unlock(const Options& options) {
  const auto status = ask(options.socket, get("/v1/status"), kTimeout);
  if (!status.ok()) return complain(options, status.error());
  if ((*status)["state"].text() == "ready") {
    return print(options, Json::object({{"state", "ready"}}), format_unlocked);
  }
  auto passphrase = read_passphrase(!(*status)["set_up"].boolean());
  if (!passphrase.ok()) return complain(options, passphrase.error());
  auto request = post("/v1/unlock", std::move(*passphrase));
  request.headers = {{"Content-Type", "application/octet-stream"}};
  const auto answer = ask(options.socket, std::move(request), kLongTimeout);
  if (!answer.ok()) return complain(options, answer.error());
  return print(options, *answer, format_unlocked);
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
  limited(command("studies", "the newest studies and how far they got", [&] {
    return show(options, cat("/v1/studies?limit=", options.limit), format_studies);
  }));
  limited(command("queue", "what waits to be sent and what was refused, with the reason", [&] {
    return show(options, cat("/v1/queue?limit=", options.limit), format_queue);
  }));
  command("retry", "send refused items again", [&] { return retry(options); })
      ->add_option("number", options.number, "number of the item in the queue; without it: all")
      ->check(CLI::NonNegativeNumber);
  command("unlock", "open the keys with a passphrase from the terminal or standard input",
          [&] { return unlock(options); });
  command("doctor", "check configuration, clock, disk, keys and every peer; say what to do",
          [&] { return doctor(options); })
      ->add_option("--config", options.config, "configuration, used while the daemon is down")
      ->capture_default_str();
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
  exported->add_option("--since", trail.since, "from this FHIR instant on (UTC, ...Z)");
  exported->add_option("--until", trail.until, "before this FHIR instant");
  exported->add_option("--patient", trail.patient, "of this patient: Patient/ID");
  exported->add_option("--actor", trail.actor,
                       "by this actor, e.g. ae:CT_ROOM1, uplink:pacs, operator");
  audit_command("checkpoint", "a signed checkpoint of this moment, with the public key",
                print_checkpoint);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kUsage;
  }
  return action();
}

}  // namespace
}  // namespace gateway::cli

int main(int argc, char** argv) { return gateway::cli::run(argc, argv); }
