#include "sync/holdings.h"

#include "core/log.h"
#include "core/text.h"
#include "crypto/audit_past.h"
#include "crypto/database_check.h"
#include "crypto/database_key.h"
#include "crypto/migrations.h"
#include "sync/migrations.h"
#include "sync/rebuild.h"
#include "sync/recovery.h"
#include "sync/search_index.h"
#include "sync/uplink_filling.h"
#include "sync/upload_rows.h"

namespace gateway::sync {
namespace {

std::vector<crypto::Migration> all_migrations() {
  std::vector<crypto::Migration> all;
  for (const auto& migration : crypto::migrations()) all.push_back(migration);
  for (const auto& migration : migrations()) all.push_back(migration);
  return all;
}

core::Status sweep(crypto::Database& database, crypto::ObjectStore& objects) {
  GW_TRY(const crypto::SweepReport swept, objects.sweep([&](const std::string& id) {
    return database.read_value<bool>([&](crypto::Connection& connection) -> core::Result<bool> {
      GW_TRY(const auto row,
             connection.integer("SELECT 1 FROM dicom_instance WHERE object_id = ?1 UNION ALL"
                                " SELECT 1 FROM upload_part WHERE object_id = ?1 UNION ALL"
                                " SELECT 1 FROM object_doomed WHERE object_id = ?1",
                                id));
      return row.has_value();
    });
  }));
  if (swept.settled + swept.removed > 0) {
    core::log_info("sync",
                   core::cat("after the last stop: ", swept.settled, " objects put in place, ",
                             swept.removed, " unused or never acknowledged removed"));
  }
  return {};
}

/// A new database beside old objects would take them for leftovers of a crash; beside a witness of
/// an older one it would hide that there was one.
core::Status make_up_for_lost_database(const RecoveryInputs& recovery,
                                       crypto::ObjectStore& objects) {
  const std::string path = crypto::database_path(recovery.state_folder);
  auto file = recovery.files.open_read(path);
  if (file.ok()) {
    GW_TRY(const std::uint64_t size, (*file)->size());
    if (size > 0) return {};
  } else if (file.error().code() != core::Code::not_found) {
    return std::move(file).error();
  }
  GW_TRY(const auto ids, objects.list_all());
  GW_TRY(const bool is_witnessed, crypto::has_audit_witness(recovery.files, recovery.state_folder));
  if (ids.empty() && !is_witnessed) return {};
  const std::string reason = core::cat("the database ", path, " is gone, but ", ids.size(),
                                       " sealed objects and the trace of an audit trail are there");
  const auto given_up = give_up_lost_database(recovery, reason);
  if (given_up.ok()) return {};
  return core::Error(core::Code::not_found, core::cat(reason, ": ", given_up.error().message(),
                                                      "; restore a backup, or run "
                                                      "\"clinic-gateway repair rebuild-index\""));
}

}  // namespace

core::Status Holdings::has_room(std::uint64_t bytes) const {
  GW_TRY(const std::uint64_t free, files_.free_bytes(options_.state_folder));
  const std::uint64_t reserve = options_.reserve_bytes;
  if (free >= reserve && free - reserve >= bytes) return {};
  return core::Error(core::Code::no_space,
                     "the disk is at its reserve: free space, or let retention make room");
}

std::shared_ptr<Holdings> Holdings::of_records(core::Files& files,
                                               std::unique_ptr<crypto::Database> database,
                                               crypto::Audit audit, HoldingsOptions options) {
  std::shared_ptr<Holdings> held(new Holdings(files, std::move(options)));
  held->audit_ = std::make_unique<crypto::Audit>(std::move(audit));
  held->database_ = std::move(database);
  return held;
}

core::Result<std::shared_ptr<Holdings>> Holdings::open(core::Files& files,
                                                       std::unique_ptr<crypto::Keyring> keyring,
                                                       const core::Clock& clock,
                                                       HoldingsOptions options) {
  std::shared_ptr<Holdings> held(new Holdings(files, std::move(options)));
  held->keyring_ = std::move(keyring);
  core::Status opened = held->open_parts(clock);
  if (!opened.ok() && opened.error().code() == core::Code::corrupt) {
    // Most pages are read only by some step after the opening.
    GW_CHECK(held->set_damaged_aside(clock, opened.error()));
    opened = held->open_parts(clock);
  }
  if (!opened.ok()) return std::move(opened).error();
  return held;
}

core::Status Holdings::set_damaged_aside(const core::Clock& clock, const core::Error& error) {
  const std::string& folder = options_.state_folder;
  const RecoveryInputs recovery{files_, *keyring_, clock, folder, options_.backup_folder};
  if (!database_) return error;  // open_or_restore_database() has tried, or never came to it
  const auto findings = check_database([](std::uint64_t) { return true; });
  if (findings.ok() && findings->empty()) return error;  // it is something else
  intake_.reset();
  ingest_.reset();
  witness_.reset();
  database_.reset();
  GW_TRY(const bool is_to_be_rebuilt, is_rebuild_wanted(files_, folder));
  if (is_to_be_rebuilt) return set_database_aside(recovery, error.message());
  const auto given_up = give_up_database(recovery, error.message());
  if (given_up.ok()) return {};
  return core::Error(
      core::Code::corrupt,
      core::cat("the database is damaged (", error.message(), "): ", given_up.error().message(),
                "; the objects are intact without it: clinic-gateway repair "
                "rebuild-index makes a new one from them"));
}

core::Status Holdings::open_parts(const core::Clock& clock) {
  core::Files& files = files_;
  GW_TRY(auto audit, crypto::Audit::create(*keyring_));
  audit_ = std::make_unique<crypto::Audit>(std::move(audit));
  const std::string& folder = options_.state_folder;
  for (const char* part : {"", "/epochs", "/objects"}) {
    GW_CHECK(core::remove_unfinished_files(files, folder + part));
  }
  GW_CHECK(keyring_->remember_epochs());
  GW_TRY(objects_,
         crypto::ObjectStore::open(files, folder + "/objects", *keyring_, options_.reserve_bytes));
  GW_TRY(const bool is_to_be_rebuilt, is_rebuild_wanted(files, folder));
  GW_TRY(const bool is_being_restored, is_resync_due(files, folder));
  const RecoveryInputs recovery{files,           *keyring_, clock, folder, options_.backup_folder,
                                is_to_be_rebuilt};
  if (!is_to_be_rebuilt && !is_being_restored)
    GW_CHECK(make_up_for_lost_database(recovery, *objects_));
  const auto migrations = all_migrations();
  GW_TRY(database_, open_or_restore_database(recovery, migrations));
  GW_TRY(const bool restored, is_resync_due(files, folder));
  if (restored) GW_CHECK(note_lost_actions(recovery, *database_));
  // The witness speaks of the database that was lost.
  if (restored || is_to_be_rebuilt) GW_CHECK(crypto::AuditWitness::forget(files, folder));
  // Before the sweep: an older database would take what it does not know for left-overs.
  GW_CHECK(begin_witness(files, clock));
  GW_CHECK(refresh_search_index(*database_));
  ingest_ =
      std::make_unique<Ingest>(*database_, *objects_, *audit_, settling_, clock, options_.ingest);
  intake_ = std::make_unique<Intake>(*database_, *audit_, clock, options_.ingest.fhir_uplinks,
                                     options_.worklist, [this] { return has_room(); });
  // Images received after the backup are no left-overs: their senders may have deleted them. Who
  // uploads begins anew.
  if (is_to_be_rebuilt || restored) {
    GW_CHECK(database_->write(forget_uploads));
    GW_CHECK(rebuild_index(*this, clock, is_to_be_rebuilt ? "operator" : "gateway"));
  }
  if (is_to_be_rebuilt) GW_CHECK(forget_rebuild(files, folder));
  GW_CHECK(sweep(*database_, *objects_));
  if (restored) GW_CHECK(resync_restored(recovery, *audit_, *database_, *objects_));
  // A full disk must not keep the gateway closed; the next start goes on with it.
  if (auto filled = fill_new_uplinks(*database_, options_.ingest, core::to_instant(clock.wall()));
      !filled.ok()) {
    core::log_error("sync",
                    core::cat("what was taken in before is not yet queued for a new uplink: ",
                              filled.error().message()));
  }
  return {};
}

core::Result<std::vector<std::string>> Holdings::check_database(
    const crypto::CheckPace& pace) const {
  GW_TRY(const auto state, crypto::read_database_key_state(files_, options_.state_folder));
  GW_TRY(const crypto::Secret key, crypto::database_key(*keyring_, state.generation, state.root));
  return crypto::check_database(files_, crypto::database_path(options_.state_folder), key, pace);
}

core::Status Holdings::begin_witness(core::Files& files, const core::Clock& clock) {
  const crypto::RootState root = keyring_->root();
  GW_TRY(auto signer, crypto::AuditSigner::create(*keyring_, root.number));
  const std::string& folder = options_.state_folder;
  bool is_new = false;
  GW_TRY(const auto finding,
         database_->read_value<crypto::WitnessFinding>(
             [&](crypto::Connection& connection) -> core::Result<crypto::WitnessFinding> {
               GW_TRY(const auto head, crypto::Audit::head(connection));
               is_new = head.sequence == 0;
               auto by_newest = crypto::AuditWitness::examine(files, folder, signer, connection);
               if (!root.is_moving || !by_newest.ok() ||
                   *by_newest != crypto::WitnessFinding::damaged) {
                 return by_newest;
               }
               GW_TRY(const auto former, crypto::AuditSigner::create(*keyring_, root.number - 1));
               return crypto::AuditWitness::examine(files, folder, former, connection);
             }));
  if (finding != crypto::WitnessFinding::agrees && !is_new) {
    const char* const outcome = finding == crypto::WitnessFinding::absent ? "absent" : "damaged";
    core::log_warn("sync",
                   core::cat("audit.witness is ", outcome,
                             ": whether this database is the newest cannot be told; compare "
                             "with the checkpoints central operations keep"));
    auto noted = database_->write([&](crypto::Connection& connection) {
      return audit_->append(connection, {.at = clock.wall(),
                                         .actor = "gateway",
                                         .action = "examine",
                                         .resource = "audit.witness",
                                         .patient = "",
                                         .source = "local",
                                         .outcome = outcome});
    });
    GW_CHECK(noted);
  }
  witness_ =
      std::make_unique<crypto::AuditWitness>(files, folder, std::move(signer), *database_, clock);
  if (auto taken = witness_->take(); !taken.ok()) {
    core::log_warn("sync", core::cat("audit witness: ", taken.error().message()));
  }
  return {};
}

}  // namespace gateway::sync
