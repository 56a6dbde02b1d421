#include "sync/recovery.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "core/file_steps.h"
#include "core/log.h"
#include "core/text.h"
#include "crypto/audit_checkpoint.h"
#include "crypto/backup_restore.h"
#include "crypto/database_copy.h"
#include "crypto/database_key.h"

namespace gateway::sync {
namespace {

using core::cat;
using core::Code;
using crypto::RestoreReport;

constexpr std::size_t kReasonMax = 4096;
constexpr std::size_t kNamedMax = 100;

std::string damage_path(const std::string& folder) { return cat(folder, "/database-damaged"); }

/// SQLCipher cannot tell a damaged first page from a wrong key; the keyring has proved the key.
bool is_damage(const core::Error& error) {
  return error.code() == Code::corrupt || error.code() == Code::locked;
}

core::Result<bool> is_restore_unfinished(const RecoveryInputs& inputs) {
  GW_TRY(const bool due, is_resync_due(inputs.files, inputs.state_folder));
  if (!due) return false;
  GW_TRY(const bool there, inputs.files.exists(crypto::database_path(inputs.state_folder)));
  return !there;
}

/// With the code of `why_not`: a medium that is not there yet may come.
core::Error without_backup(const std::string& reason, const core::Error& why_not) {
  return {why_not.code(),
          cat("the database is damaged (", reason, ") and cannot be restored: ", why_not.message(),
              "; the objects are intact without it: run clinic-gateway repair rebuild-index, or "
              "restore a backup onto an empty box")};
}

core::Status move_aside(core::Files& files, const std::string& path, const std::string& aside) {
  for (const char* suffix : {"-wal", "-shm", ""}) {
    auto moved = files.rename(path + suffix, aside + suffix);
    if (!moved.ok() && moved.error().code() != Code::not_found) return moved;
  }
  return {};
}

std::string name_aside(const RecoveryInputs& inputs) {
  std::string stamp = core::to_instant(inputs.clock.wall());
  std::erase_if(stamp, [](char letter) { return letter == '-' || letter == ':'; });
  return cat(crypto::database_path(inputs.state_folder), ".damaged-", stamp);
}

core::Status set_aside(const RecoveryInputs& inputs, const std::string& reason) {
  const std::string path = crypto::database_path(inputs.state_folder);
  RestoreReport report;
  report.what = "database";
  report.from = inputs.backup_folder;
  report.at = core::to_instant(inputs.clock.wall());
  report.reason = reason;
  const std::string aside = name_aside(inputs);
  GW_TRY(const bool is_there, inputs.files.exists(path));
  if (is_there) {
    report.aside = aside;
  } else {
    // A WAL it left would be played into the restored one, and after the report it would stay.
    GW_CHECK(move_aside(inputs.files, path, aside));
    GW_CHECK(inputs.files.sync_folder(inputs.state_folder));
  }
  GW_CHECK(crypto::write_restore_report(inputs.files, inputs.state_folder, report));
  GW_CHECK(move_aside(inputs.files, path, aside));
  return inputs.files.sync_folder(inputs.state_folder);
}

std::string what_became_of(const RestoreReport& report) {
  if (report.aside.empty()) return "the database is gone";
  return cat("the database was damaged and is kept as ", report.aside);
}

core::Status restore_from_backup(const RecoveryInputs& inputs) {
  GW_TRY(RestoreReport report, crypto::read_restore_report(inputs.files, inputs.state_folder));
  auto restored = crypto::restore_database(inputs.files, inputs.backup_folder, inputs.state_folder,
                                           inputs.keyring);
  if (!restored.ok()) {
    return std::move(restored).error().with_context(
        cat(what_became_of(report),
            ", but its backup could not be restored; repair the backup folder and restart, or run "
            "clinic-gateway repair rebuild-index"));
  }
  report.created = restored->created;
  GW_CHECK(crypto::write_restore_report(inputs.files, inputs.state_folder, report));
  GW_CHECK(core::remove_if_there(inputs.files, damage_path(inputs.state_folder)));
  core::log_error("sync", cat("THE DATABASE WAS ", report.aside.empty() ? "GONE" : "DAMAGED",
                              " AND IS RESTORED: ", describe(report)));
  return {};
}

/// The report goes last: until then the next start sees a restore to be given up.
core::Status give_up_restore(const RecoveryInputs& inputs) {
  GW_TRY(const RestoreReport report,
         crypto::read_restore_report(inputs.files, inputs.state_folder));
  GW_CHECK(core::remove_if_there(inputs.files, damage_path(inputs.state_folder)));
  core::log_error("sync", cat(what_became_of(report),
                              "; its restore is given up, and a new one is "
                              "made from the objects"));
  return crypto::dismiss_restore_report(inputs.files, inputs.state_folder);
}

core::Result<std::string> known_damage(const RecoveryInputs& inputs) {
  auto reason = core::read_whole_file(inputs.files, damage_path(inputs.state_folder), kReasonMax);
  if (reason.ok()) return std::string(core::trim(*reason));
  if (reason.error().code() == Code::not_found) return std::string();
  return std::move(reason).error();
}

core::Result<std::unique_ptr<crypto::Database>> open_now(
    const RecoveryInputs& inputs, std::span<const crypto::Migration> migrations) {
  return crypto::open_database(inputs.files, inputs.keyring, inputs.state_folder, migrations);
}

}  // namespace

core::Status set_database_aside(const RecoveryInputs& inputs, const std::string& reason) {
  const std::string aside = name_aside(inputs);
  GW_CHECK(move_aside(inputs.files, crypto::database_path(inputs.state_folder), aside));
  GW_CHECK(inputs.files.sync_folder(inputs.state_folder));
  GW_CHECK(core::remove_if_there(inputs.files, damage_path(inputs.state_folder)));
  core::log_error("sync", cat("the database is damaged (", reason, ") and kept as ", aside,
                              "; a new one is made from the objects"));
  return {};
}

core::Result<std::unique_ptr<crypto::Database>> open_or_restore_database(
    const RecoveryInputs& inputs, std::span<const crypto::Migration> migrations) {
  GW_TRY(const bool unfinished, is_restore_unfinished(inputs));
  if (unfinished && inputs.is_to_be_rebuilt) {
    GW_CHECK(give_up_restore(inputs));
    return open_now(inputs, migrations);
  }
  if (!unfinished) {
    GW_TRY(std::string reason, known_damage(inputs));
    if (reason.empty()) {
      auto opened = open_now(inputs, migrations);
      if (opened.ok() || !is_damage(opened.error())) return opened;
      reason = opened.error().message();
    }
    if (inputs.is_to_be_rebuilt) {
      GW_CHECK(set_database_aside(inputs, reason));
      return open_now(inputs, migrations);
    }
    core::log_error("sync", cat("the database is damaged: ", reason));
    if (inputs.backup_folder.empty()) {
      return without_backup(reason, {Code::corrupt, "no backup folder is configured (backup.dir)"});
    }
    const auto backup = crypto::check_backup(inputs.files, inputs.backup_folder, inputs.keyring);
    if (!backup.ok()) return without_backup(reason, backup.error());
    GW_CHECK(set_aside(inputs, reason));
  }
  GW_CHECK(restore_from_backup(inputs));
  return open_now(inputs, migrations);
}

core::Result<bool> is_resync_due(core::Files& files, const std::string& state_folder) {
  GW_TRY(const bool there, crypto::has_restore_report(files, state_folder));
  if (!there) return false;
  GW_TRY(const RestoreReport report, crypto::read_restore_report(files, state_folder));
  return report.resync;
}

core::Status note_lost_actions(const RecoveryInputs& inputs, crypto::Database& database) {
  const auto read = crypto::read_audit_witness(inputs.files, inputs.state_folder);
  if (!read.ok()) {
    // A number for people is not worth a gateway that stays closed.
    core::log_warn("sync",
                   cat("what was lost after the backup is not known: ", read.error().message()));
    return {};
  }
  const std::optional<crypto::AuditCheckpoint>& witness = *read;
  GW_TRY(const auto held,
         database.read_value<crypto::AuditHead>(
             [](crypto::Connection& connection) { return crypto::Audit::head(connection); }));
  if (!witness || witness->head.sequence <= held.sequence) return {};
  GW_TRY(RestoreReport report, crypto::read_restore_report(inputs.files, inputs.state_folder));
  report.lost_actions = static_cast<std::uint64_t>(witness->head.sequence - held.sequence);
  report.lost_until = witness->at;
  return crypto::write_restore_report(inputs.files, inputs.state_folder, report);
}

core::Status resync_restored(const RecoveryInputs& inputs, const crypto::Audit& audit,
                             crypto::Database& database, crypto::ObjectStore& objects) {
  GW_TRY(RestoreReport report, crypto::read_restore_report(inputs.files, inputs.state_folder));
  std::set<std::string> known;
  const auto remember = [&](std::string_view id) -> core::Status {
    known.emplace(id);
    return {};
  };
  GW_CHECK(database.read(
      [&](crypto::Connection& connection) { return each_object(connection, remember); }));
  report.unknown_objects = 0;
  const auto compare = [&](const std::string& id) -> core::Status {
    if (known.erase(id) == 0) ++report.unknown_objects;
    return {};
  };
  GW_CHECK(objects.each(compare));
  report.missing_count = std::max<std::uint64_t>(report.missing_count, known.size());
  for (const std::string& id : known) {
    auto& named = report.missing_objects;
    if (named.size() < kNamedMax && std::find(named.begin(), named.end(), id) == named.end()) {
      named.push_back(id);
    }
  }
  const auto level = [&](crypto::Connection& connection) -> core::Status {
    GW_CHECK(connection.run("UPDATE outbox SET perhaps_sent = 1"));
    GW_CHECK(connection.run("UPDATE outbox SET state = 'waiting' WHERE state = 'sending'"));
    return audit.append(connection, {.at = inputs.clock.wall(),
                                     .actor = "gateway",
                                     .action = "restore",
                                     .resource = report.what,
                                     .patient = "",
                                     .source = "backup " + report.created,
                                     .outcome = "success"});
  };
  GW_CHECK(database.write(level));
  report.resync = false;
  GW_CHECK(crypto::write_restore_report(inputs.files, inputs.state_folder, report));
  core::log_error("sync", describe(report));
  return {};
}

core::Status mark_database_damaged(core::Files& files, const std::string& state_folder,
                                   const std::string& reason) {
  return core::write_file_durably(files, damage_path(state_folder),
                                  reason.substr(0, kReasonMax - 1) + "\n");
}

core::Status give_up_lost_database(const RecoveryInputs& inputs, const std::string& reason) {
  if (inputs.backup_folder.empty()) {
    return core::Error(Code::not_found, "no backup folder is configured (backup.dir)");
  }
  GW_CHECK(crypto::check_backup(inputs.files, inputs.backup_folder, inputs.keyring));
  return mark_database_damaged(inputs.files, inputs.state_folder, reason);
}

core::Status give_up_database(const RecoveryInputs& inputs, const std::string& reason) {
  if (inputs.backup_folder.empty()) {
    return core::Error(Code::not_found,
                       "no backup can take its place, since no backup folder is configured "
                       "(backup.dir): back up what can still be read and restore an older backup");
  }
  GW_TRY(const bool restored, crypto::has_restore_report(inputs.files, inputs.state_folder));
  if (restored) {
    return core::Error(Code::corrupt,
                       "it was restored from the backup already, which seems to hold the damage: "
                       "restore an older backup, or dismiss the report of the restore to have the "
                       "newest one put back");
  }
  return give_up_lost_database(inputs, reason);
}

core::Status each_object(crypto::Connection& connection,
                         const std::function<core::Status(std::string_view id)>& visit) {
  GW_TRY(auto rows, connection.query("SELECT object_id FROM dicom_instance"
                                     " WHERE state <> 'evicted'"));
  while (true) {
    GW_TRY(const bool row, rows.next());
    if (!row) return {};
    GW_CHECK(visit(rows.text(0)));
  }
}

}  // namespace gateway::sync
