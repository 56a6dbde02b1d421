#include "daemon/cli/commands_command.h"

#include <charconv>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/files.h"
#include "core/ids.h"
#include "core/text.h"
#include "daemon/ops/command_envelope.h"

namespace gateway::cli {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::Json;

constexpr std::size_t kPemMax = 4000;

struct Wanted {
  std::string kind;
  std::string gateway;
  std::string key_file;
  std::string key_name;
  std::vector<std::string> parameters;  // NAME=VALUE
  std::int64_t minutes = 60;
};

/// The two parameters that are numbers are written so.
Json value_of(std::string_view name, std::string_view text) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, code] = std::from_chars(text.data(), end, number);
  const bool is_number = code == std::errc() && stopped == end;
  if (is_number && (name == "number" || name == "minutes")) return number;
  return text;
}

core::Result<Json> parameters_of(const Wanted& wanted) {
  Json parameters = Json::object();
  for (const std::string& given : wanted.parameters) {
    const auto mark = given.find('=');
    if (mark == given.npos || mark == 0)
      return Error(Code::invalid, cat("\"", given, "\" is no parameter; write NAME=VALUE"));
    const std::string name = given.substr(0, mark);
    parameters.set(name, value_of(name, std::string_view(given).substr(mark + 1)));
  }
  GW_CHECK(daemon::command_request(wanted.kind, parameters));
  return parameters;
}

core::Result<crypto::SigningKey> signing_key(const std::string& file) {
  GW_TRY(std::string pem, core::read_whole_file(core::system_files(), file, kPemMax));
  auto key = crypto::read_signing_key(pem);
  ::explicit_bzero(pem.data(), pem.size());
  return std::move(key).with_context(file);
}

core::Result<Json> signed_command(const Wanted& wanted) {
  GW_TRY(const Json parameters, parameters_of(wanted));
  GW_TRY(const crypto::SigningKey key, signing_key(wanted.key_file));
  const core::Wall now = core::system_clock().wall();
  const std::string id = core::new_uuid();
  const Json payload =
      Json::object({{"schema", 1},
                    {"id", id},
                    {"gateway", wanted.gateway},
                    {"kind", wanted.kind},
                    {"parameters", parameters},
                    {"issued", core::to_instant(now)},
                    {"expires", core::to_instant(now + std::chrono::minutes(wanted.minutes))}});
  GW_TRY(const std::string envelope, daemon::seal_command(payload, wanted.key_name, key));
  return Json::object({{"id", id}, {"command", payload}, {"envelope", envelope}});
}

std::string format_envelope(const Json& answer) { return cat(answer["envelope"].text(), '\n'); }

int sign(const CommonOptions& common, const Wanted& wanted) {
  const auto made = signed_command(wanted);
  if (!made.ok()) return complain(common, made.error());
  return print(common, *made, format_envelope);
}

}  // namespace

void add_commands_commands(CLI::App& app, const CommonOptions& common,
                           std::function<int()>& action) {
  const auto wanted = std::make_shared<Wanted>();
  CLI::App* commands = app.add_subcommand("commands", "what central operations send over MQTT");
  commands->require_subcommand(1)->fallthrough();
  CLI::App* sign_command = commands->add_subcommand(
      "sign", "print a signed command, to be published at the gateway's topic");
  sign_command->fallthrough();
  sign_command->add_option("kind", wanted->kind, "what the gateway shall do")
      ->required()
      ->check(CLI::IsMember(daemon::command_kinds()));
  sign_command->add_option("parameters", wanted->parameters, "NAME=VALUE, as the kind takes them");
  sign_command->add_option("--gateway", wanted->gateway, "its site.name")->required();
  sign_command->add_option("--key", wanted->key_file, "Ed25519 private key, PEM")->required();
  sign_command->add_option("--key-name", wanted->key_name, "NAME of commands.key.NAME there")
      ->required();
  sign_command->add_option("--minutes", wanted->minutes, "how long it may be carried out")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{7 * 24 * 60}))
      ->capture_default_str();
  sign_command->callback(
      [&common, &action, wanted] { action = [&common, wanted] { return sign(common, *wanted); }; });
}

}  // namespace gateway::cli
