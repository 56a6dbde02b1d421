#include "daemon/cli/restore.h"

#include <filesystem>

#include "core/clock.h"
#include "core/config.h"
#include "core/files.h"
#include "core/text.h"
#include "crypto/backup_restore.h"
#include "crypto/recovery_code.h"
#include "daemon/cli/ownership.h"
#include "daemon/settings.h"
#include "daemon/state_lock.h"

namespace gateway::cli {
namespace {

using core::cat;
using core::Json;

}  // namespace

core::Result<std::string> configured_state_folder(const std::string& config_file) {
  GW_TRY(const auto config, core::Config::load(config_file, daemon::all_config_keys()));
  return daemon::read_settings(config).state_folder;
}

core::Result<Json> restore(const std::string& backup_folder, const std::string& state_folder,
                           const crypto::Passphrase& passphrase) {
  const std::string from = std::filesystem::absolute(backup_folder).lexically_normal().string();
  // A daemon that has opened its data holds it.
  GW_TRY(const auto lock, daemon::StateLock::take(state_folder));
  const auto open_keyring = [&](const std::string& folder) {
    const auto typed = passphrase.text.bytes();
    // A recovery code carries its own checksum, so nothing else reads as one.
    auto code = crypto::read_recovery_code(
        std::string_view(reinterpret_cast<const char*>(typed.data()), typed.size()));
    if (!code.ok()) {
      return crypto::Keyring::open(core::system_files(), folder, passphrase, core::system_clock());
    }
    return crypto::Keyring::open(core::system_files(), folder, crypto::SlotOpener(std::move(*code)),
                                 core::system_clock());
  };
  auto report = crypto::restore_gateway(core::system_files(), from, state_folder, open_keyring,
                                        core::to_instant(core::system_clock().wall()),
                                        [&] { return give_tree_like(state_folder, state_folder); });
  if (!report.ok()) return std::move(report).error();
  Json missing = Json::array();
  for (const std::string& id : report->missing_objects) missing.add(id);
  return Json::object({{"created", report->created},
                       {"objects", report->objects},
                       {"missing", report->missing_count},
                       {"missing_objects", std::move(missing)}});
}

std::string format_restored(const Json& report) {
  std::string text =
      cat("Restored the gateway as it was at ", report["created"].text(), ", with ",
          report["objects"].number_text(), " objects. Start the service and unlock it.\n");
  const auto missing = report["missing"].integer().value_or(0);
  if (missing > 0) text += cat(missing, " objects could not be recovered:\n");
  for (const Json& id : report["missing_objects"].items()) text += cat("  ", id.text(), '\n');
  return text;
}

}  // namespace gateway::cli
