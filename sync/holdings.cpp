#include "sync/holdings.h"

#include "core/log.h"
#include "core/text.h"
#include "crypto/migrations.h"
#include "sync/migrations.h"
#include "sync/recovery.h"

namespace gateway::sync {
namespace {

std::vector<crypto::Migration> all_migrations() {
  std::vector<crypto::Migration> all;
  for (const auto& migration : crypto::migrations()) all.push_back(migration);
  for (const auto& migration : migrations()) all.push_back(migration);
  return all;
}

}  // namespace

core::Result<std::shared_ptr<Holdings>> Holdings::open(core::Files& files,
                                                       std::unique_ptr<crypto::Keyring> keyring,
                                                       const core::Clock& clock,
                                                       HoldingsOptions options) {
  std::shared_ptr<Holdings> held(new Holdings(std::move(options)));
  held->keyring_ = std::move(keyring);
  GW_TRY(auto audit, crypto::Audit::create(*held->keyring_));
  held->audit_ = std::make_unique<crypto::Audit>(std::move(audit));
  const auto migrations = all_migrations();
  const RecoveryInputs recovery{files, *held->keyring_, clock, held->options_.state_folder,
                                held->options_.backup_folder};
  GW_TRY(held->database_, open_or_restore_database(recovery, migrations));
  GW_TRY(held->objects_, crypto::ObjectStore::open(files, held->options_.state_folder + "/objects",
                                                   *held->keyring_, held->options_.reserve_bytes));

  crypto::Database& database = *held->database_;
  crypto::ObjectStore& objects = *held->objects_;
  GW_TRY(const bool restored, is_resync_due(files, held->options_.state_folder));
  GW_TRY(const crypto::SweepReport swept, held->objects_->sweep([&](const std::string& id) {
    return database.read_value<bool>([&](crypto::Connection& connection) -> core::Result<bool> {
      GW_TRY(const auto row,
             connection.integer("SELECT 1 FROM dicom_instance WHERE object_id = ?", id));
      // A restored database does not know what was acknowledged after its backup.
      return row.has_value() || (restored && objects.open_object(id).ok());
    });
  }));
  if (swept.settled + swept.removed > 0) {
    core::log_info("sync",
                   core::cat("after the last stop: ", swept.settled, " objects put in place, ",
                             swept.removed, " unused or never acknowledged removed"));
  }
  if (restored) GW_CHECK(resync_restored(recovery, *held->audit_, database, objects));
  held->ingest_ = std::make_unique<Ingest>(database, *held->objects_, *held->audit_,
                                           held->settling_, clock, held->options_.ingest);
  return held;
}

}  // namespace gateway::sync
