#include "daemon/cli/restore.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/config.h"
#include "core/files.h"
#include "core/text.h"
#include "crypto/backup_folder.h"
#include "crypto/backup_restore.h"
#include "crypto/octets.h"
#include "crypto/recovery_code.h"
#include "daemon/cli/ownership.h"
#include "daemon/settings.h"
#include "daemon/state_lock.h"
#include "sync/rebuild.h"

namespace gateway::cli {
namespace {

using core::cat;
using core::Json;

constexpr std::size_t kGroupChars = 5;

std::vector<std::string_view> groups_of(std::string_view typed) {
  std::vector<std::string_view> groups;
  while (!typed.empty()) {
    const std::size_t end = std::min(typed.find_first_of("- \t"), typed.size());
    if (end > 0) groups.push_back(typed.substr(0, end));
    typed.remove_prefix(std::min(end + 1, typed.size()));
  }
  return groups;
}

std::string whole_path(const std::string& folder) {
  return std::filesystem::absolute(folder).lexically_normal().string();
}

/// As copied from the paper, a slip here or there: groups of five letters and digits.
bool has_shape_of_code(std::string_view typed) {
  constexpr std::size_t kGroupsMin = 6;
  constexpr std::size_t kSlipsMax = 2;
  const auto groups = groups_of(typed);
  std::size_t slips = 0;
  for (const std::string_view group : groups) {
    const bool plain = std::all_of(group.begin(), group.end(),
                                   [](unsigned char c) { return std::isalnum(c) != 0; });
    if (group.size() != kGroupChars || !plain) ++slips;
  }
  return groups.size() >= kGroupsMin && slips <= kSlipsMax;
}

core::Result<std::unique_ptr<crypto::Keyring>> open_typed(const std::string& folder,
                                                          const crypto::Passphrase& passphrase) {
  const std::string_view typed = crypto::as_text(passphrase.text.bytes());
  // A recovery code carries its own checksum, so nothing else reads as one.
  auto code = crypto::read_recovery_code(typed);
  if (!code.ok()) {
    auto opened =
        crypto::Keyring::open(core::system_files(), folder, passphrase, core::system_clock());
    // Five-letter words may be a passphrase: what opens nothing is told as what it looks like.
    const bool is_refused = !opened.ok() && opened.error().code() == core::Code::locked;
    if (is_refused && has_shape_of_code(typed)) return std::move(code).error();
    return opened;
  }
  return crypto::Keyring::open(core::system_files(), folder, crypto::SlotOpener(std::move(*code)),
                               core::system_clock());
}

}  // namespace

core::Result<std::string> configured_state_folder(const std::string& config_file) {
  GW_TRY(const auto config, core::Config::load(config_file, daemon::all_config_keys()));
  return daemon::read_settings(config).state_folder;
}

core::Status find_backup(const std::string& backup_folder) {
  GW_CHECK(crypto::current_backup_run(core::system_files(), whole_path(backup_folder)));
  return {};
}

core::Result<Json> restore(const std::string& backup_folder, const std::string& state_folder,
                           const crypto::SlotOpener& opener) {
  const std::string from = whole_path(backup_folder);
  // A daemon that has opened its data holds it.
  GW_TRY(const auto lock, daemon::StateLock::take(state_folder));
  const auto open_keyring = [&](const std::string& folder) {
    if (const auto* typed = std::get_if<crypto::Passphrase>(&opener)) {
      return open_typed(folder, *typed);
    }
    return crypto::Keyring::open(core::system_files(), folder, opener, core::system_clock());
  };
  const auto rebuild_index = [&] { return sync::want_rebuild(core::system_files(), state_folder); };
  const auto hand_over = [&] { return give_tree_like(state_folder, state_folder); };
  auto report = crypto::restore_gateway(core::system_files(), from, state_folder, open_keyring,
                                        core::to_instant(core::system_clock().wall()),
                                        {rebuild_index, hand_over});
  if (!report.ok()) {
    // What came so far, for the service to say that the rest is missing.
    const auto begun = crypto::is_restore_cut_off(core::system_files(), state_folder);
    const auto given = begun.ok() && *begun ? hand_over() : core::Status();
    if (given.ok()) return std::move(report).error();
    return core::Error(report.error().code(),
                       cat(report.error().message(), "; and ", given.error().message()));
  }
  Json missing = Json::array();
  for (const std::string& id : report->missing_objects) missing.add(id);
  return Json::object({{"created", report->created},
                       {"database_lost", report->database_lost},
                       {"objects", report->objects},
                       {"missing", report->missing_count},
                       {"missing_objects", std::move(missing)}});
}

std::string format_restored(const Json& report) {
  std::string text =
      cat("Restored the gateway as it was at ", report["created"].text(), ", with ",
          report["objects"].number_text(), " objects. Start the service and unlock it.\n");
  if (const std::string why(report["database_lost"].text()); !why.empty()) {
    text += cat("ITS DATABASE COULD NOT BE RECOVERED (", why,
                "): the first start indexes the images anew; results, queues and the audit trail "
                "are lost. If there is another backup, move this state folder away and restore "
                "that one.\n");
  }
  const auto missing = report["missing"].integer().value_or(0);
  if (missing > 0) text += cat(missing, " objects could not be recovered:\n");
  for (const Json& id : report["missing_objects"].items()) text += cat("  ", id.text(), '\n');
  return text;
}

}  // namespace gateway::cli
