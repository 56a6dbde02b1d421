#include "sync/holdings.h"

#include "core/log.h"
#include "core/text.h"
#include "crypto/migrations.h"
#include "sync/migrations.h"

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
  GW_TRY(const crypto::Secret key, held->keyring_->derived_key("database"));
  GW_TRY(auto audit, crypto::Audit::create(*held->keyring_));
  held->audit_ = std::make_unique<crypto::Audit>(std::move(audit));
  const auto migrations = all_migrations();
  GW_TRY(held->database_, crypto::Database::open(held->options_.state_folder + "/gateway.db", key,
                                                 migrations, files));
  // Before the sweep: an older database would take what it does not know for left-overs.
  GW_CHECK(held->begin_witness(files, clock));
  GW_TRY(held->objects_, crypto::ObjectStore::open(files, held->options_.state_folder + "/objects",
                                                   *held->keyring_, held->options_.reserve_bytes));

  crypto::Database& database = *held->database_;
  GW_TRY(const crypto::SweepReport swept, held->objects_->sweep([&](const std::string& id) {
    return database.read_value<bool>([&](crypto::Connection& connection) -> core::Result<bool> {
      GW_TRY(const auto row,
             connection.integer("SELECT 1 FROM dicom_instance WHERE object_id = ?", id));
      return row.has_value();
    });
  }));
  if (swept.settled + swept.removed > 0) {
    core::log_info("sync",
                   core::cat("after the last stop: ", swept.settled, " objects put in place, ",
                             swept.removed, " unused or never acknowledged removed"));
  }
  held->ingest_ = std::make_unique<Ingest>(database, *held->objects_, *held->audit_,
                                           held->settling_, clock, held->options_.ingest);
  return held;
}

core::Status Holdings::begin_witness(core::Files& files, const core::Clock& clock) {
  GW_TRY(auto signer, crypto::AuditSigner::create(*keyring_));
  const std::string& folder = options_.state_folder;
  bool is_new = false;
  GW_TRY(const auto finding,
         database_->read_value<crypto::WitnessFinding>(
             [&](crypto::Connection& connection) -> core::Result<crypto::WitnessFinding> {
               GW_TRY(const auto head, crypto::Audit::head(connection));
               is_new = head.sequence == 0;
               return crypto::AuditWitness::examine(files, folder, signer, connection);
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
