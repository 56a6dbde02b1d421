#include "daemon/cli/support_bundle_command.h"

#include <filesystem>
#include <memory>
#include <string>

#include "core/base64.h"
#include "core/files.h"
#include "core/text.h"
#include "daemon/cli/tables.h"
#include "daemon/ops/support_bundle.h"
#include "daemon/settings.h"

namespace gateway::cli {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::Json;

struct Asked {
  std::string to;
  std::string config = daemon::kConfigFile;
};

/// The daemon's; without a daemon what this machine shows.
core::Result<std::string> bundle_of(const CommonOptions& common, const Asked& asked) {
  const auto answer = ask(common.socket, get("/v1/support-bundle"), kLongTimeout);
  if (answer.ok()) {
    auto bytes = core::from_base64((*answer)["archive"].text());
    if (!bytes) return Error(Code::internal, "the daemon's answer is no support bundle");
    return std::move(*bytes);
  }
  if (answer.error().code() != Code::unavailable) return answer.error();
  return daemon::support_bundle(daemon::examine_for_bundle(asked.config, daemon::DaemonSeen::absent,
                                                           core::system_clock().wall()));
}

std::string format_written(const Json& answer) {
  return cat("Written: ", answer["file"].text(), ", ",
             format_bytes(answer["bytes"].integer().value_or(0)),
             ". It holds no patient data and no secrets; manifest.json in it lists what it does "
             "hold.\n");
}

int write_bundle(const CommonOptions& common, const Asked& asked) {
  std::error_code failed;
  const std::string file = std::filesystem::absolute(asked.to, failed).string();
  if (failed) return complain(common, Error(Code::io, cat(asked.to, ": ", failed.message())));
  const auto bundle = bundle_of(common, asked);
  if (!bundle.ok()) return complain(common, bundle.error());
  const core::Status written = core::write_file_durably(core::system_files(), file, *bundle);
  if (!written.ok()) return complain(common, written.error());
  return print(
      common, Json::object({{"file", file}, {"bytes", static_cast<std::uint64_t>(bundle->size())}}),
      format_written);
}

}  // namespace

void add_support_bundle_command(CLI::App& app, const CommonOptions& common,
                                std::function<int()>& action) {
  const auto asked = std::make_shared<Asked>();
  CLI::App* bundle = app.add_subcommand(
      "support-bundle", "one file for whoever helps from afar: no patient data, no secrets");
  bundle->fallthrough();
  bundle->add_option("--to", asked->to, "the file, a .tar.gz")->required();
  bundle->add_option("--config", asked->config, "configuration, used while the daemon is down")
      ->capture_default_str();
  bundle->callback([&common, &action, asked] {
    action = [&common, asked] { return write_bundle(common, *asked); };
  });
}

}  // namespace gateway::cli
