#include "tests/at_rest/life.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "core/text.h"
#include "crypto/backup_folder.h"
#include "crypto/backup_restore.h"
#include "crypto/epoch_rotation.h"
#include "crypto/octets.h"
#include "sync/shredding.h"
#include "sync/upload_rows.h"
#include "tests/at_rest/planted.h"
#include "tests/crypto/keys.h"
#include "tests/sync/records_fixture.h"

namespace gateway::at_rest {
namespace {

using core::cat;
using crypto::Connection;

core::Result<std::string> read_whole(sync::Holdings& held, const std::string& id) {
  GW_TRY(auto reader, held.objects().open_object(id));
  std::string bytes(static_cast<std::size_t>(reader->size()), '\0');
  GW_TRY(const std::size_t got, reader->read(0, std::as_writable_bytes(std::span(bytes))));
  if (got != bytes.size())
    return core::Error(core::Code::corrupt, "the object is shorter than it says");
  return bytes;
}

/// What the parts of an upload hold together, and which objects they are.
core::Result<std::string> read_parts(sync::Holdings& held, const std::string& upload,
                                     std::set<std::string>& objects) {
  GW_TRY(const auto parts,
         held.database().read_value<std::vector<std::string>>(
             [&](Connection& connection) { return sync::parts_of(connection, upload); }));
  std::string bytes;
  for (const std::string& object : parts) {
    GW_TRY(const std::string part, read_whole(held, object));
    if (!part.starts_with(sync::kPartMark)) {
      return core::Error(core::Code::corrupt, "a part of an upload without its mark");
    }
    bytes += part.substr(sync::kPartMark.size());
    objects.insert(object);
  }
  return bytes;
}

/// The rows of dicom_instance, whose objects must open.
struct Visible {
  std::set<Received> instances;
  std::set<std::string> objects;
};

/// Evicted rows stay, without bytes.
core::Result<Visible> look_at_instances(sync::Holdings& held) {
  std::vector<std::pair<std::string, std::string>> rows;
  auto outcome = held.database().read([&](Connection& connection) -> core::Status {
    GW_TRY(auto found, connection.query("SELECT sop_instance_uid, object_id FROM dicom_instance"
                                        " WHERE state <> 'evicted'"));
    while (true) {
      GW_TRY(const bool more, found.next());
      if (!more) return {};
      rows.emplace_back(found.text(0), found.text(1));
    }
  });
  GW_CHECK(outcome);
  Visible visible;
  for (const auto& [sop, object] : rows) {
    GW_TRY(std::string bytes, read_whole(held, object));
    visible.instances.emplace(sop, std::move(bytes));
    visible.objects.insert(object);
  }
  return visible;
}

core::Status fault(std::string what) { return core::Error(core::Code::corrupt, std::move(what)); }

core::Status check_upload(sync::Holdings& held, const std::string& id, const Uploading& promised,
                          const std::set<std::string>& leaving, Visible& visible) {
  using Stands = Uploading::Stands;
  GW_TRY(const auto row,
         held.database().read_value<std::optional<sync::Upload>>(
             [&](Connection& connection) { return sync::read_upload(connection, id); }));
  if (!row) {
    const bool may_be_gone =
        promised.stands == Stands::removing || promised.stands == Stands::removed;
    return may_be_gone ? core::Status() : fault(cat("upload ", id, " is lost"));
  }
  if (promised.stands == Stands::removed) return fault(cat("upload ", id, " was removed"));
  if (row->stored) {
    const bool may_be = promised.stands == Stands::storing || promised.stands == Stands::stored;
    const bool is_there =
        visible.instances.contains(promised.instance) || leaving.contains(promised.instance.first);
    return may_be && is_there ? core::Status()
                              : fault(cat("upload ", id, " is said to be an instance"));
  }
  if (promised.stands == Stands::stored) return fault(cat("upload ", id, " is open again"));
  if (row->received < promised.acknowledged) {
    return fault(cat("upload ", id, " has lost what was acknowledged"));
  }
  GW_TRY(const std::string bytes, read_parts(held, id, visible.objects));
  return bytes == promised.instance.second.substr(0, row->received)
             ? core::Status()
             : fault(cat("upload ", id, " holds other bytes than were sent"));
}

core::Status check_instances(Life& life, const Promises& promises) {
  GW_TRY(Visible visible, look_at_instances(life.held()));
  for (const auto& [id, promised] : promises.uploads) {
    GW_CHECK(check_upload(life.held(), id, promised, promises.leaving, visible));
  }
  for (const Received& one : promises.acknowledged) {
    const bool may_be_gone = promises.leaving.contains(one.first);
    if (!visible.instances.contains(one) && !may_be_gone) {
      return fault(cat("acknowledged and lost: ", one.first));
    }
  }
  for (const Received& one : visible.instances) {
    if (!promises.acknowledged.contains(one) && !promises.begun.contains(one)) {
      return fault(cat("visible, but nobody sent it so: ", one.first));
    }
    if (promises.evicted.contains(one.first)) return fault(cat("evicted and back: ", one.first));
  }
  for (const std::string& path : life.disk().paths()) {
    if (!path.starts_with(cat(kState, "/objects/"))) continue;
    const std::string name = path.substr(path.find_last_of('/') + 1);
    if (!visible.objects.contains(name)) return fault(cat("no row knows the file ", path));
  }
  return {};
}

/// `names`: "Type/id", blank between; of the Observation among them.
core::Result<bool> is_told_or_waits(Connection& connection, const std::string& names) {
  const auto at = names.find("Observation/");
  if (at == std::string::npos) return false;
  const std::string id = names.substr(at + 12, names.find(' ', at) - at - 12);
  GW_TRY(const auto there,
         connection.integer("SELECT 1 FROM resource r WHERE r.type = 'Observation' AND r.id = ? AND"
                            " (EXISTS (SELECT 1 FROM outbox WHERE kind = 'resource' AND subject = "
                            "'Observation/' || r.id) OR EXISTS (SELECT 1 FROM resource_base b WHERE"
                            " b.uplink = 'his' AND b.type = r.type AND b.id = r.id))",
                            id));
  return there.has_value();
}

core::Status check_records(Connection& connection, const Promises& promises) {
  for (const auto& [control_id, bytes] : promises.messages) {
    GW_TRY(auto found, connection.query("SELECT r.bytes, m.became FROM message m JOIN message_raw r"
                                        " USING (number) WHERE m.control_id = ?",
                                        control_id));
    GW_TRY(const bool there, found.next());
    if (!there) return fault(cat("accepted and lost: message ", control_id));
    if (crypto::as_text(found.blob(0)) != bytes) {
      return fault(cat("message ", control_id, " is not what was sent"));
    }
    const std::string became(found.text(1));
    GW_TRY(const bool again, found.next());
    if (again) return fault(cat("taken in twice: message ", control_id));
    GW_TRY(const bool goes_out, is_told_or_waits(connection, became));
    if (!goes_out) return fault(cat("the result of message ", control_id, " is told to nobody"));
  }
  for (const auto& [name, values] : promises.edits) {
    const auto key = *sync::parse_reference(name);
    for (std::size_t i = 0; i < values.size(); ++i) {
      GW_TRY(const auto text,
             connection.text("SELECT body FROM resource_version WHERE type = ? AND id = ? AND "
                             "version = ?",
                             key.type, key.id, static_cast<std::int64_t>(i + 1)));
      if (!text) return fault(cat("edited and lost: ", name));
      GW_TRY(const core::Json body, core::Json::parse(*text));
      if (body["valueQuantity"]["value"].integer() != values[i]) {
        return fault(cat(name, " is not what was entered"));
      }
    }
    GW_TRY(const bool goes_out, is_told_or_waits(connection, name));
    if (!goes_out) return fault(cat("the edit of ", name, " is told to nobody"));
  }
  return {};
}

core::Status check_rows(Connection& connection, const Promises& promises) {
  for (const std::string& sop : promises.delivered) {
    GW_TRY(
        const auto there,
        connection.integer("SELECT 1 FROM dicom_delivery d JOIN dicom_instance i ON d.instance = "
                           "i.row WHERE i.sop_instance_uid = ?",
                           sop));
    if (!there) return fault(cat("recorded as delivered and forgotten: ", sop));
  }
  for (const std::string& name : promises.resources) {
    const auto slash = name.find('/');
    GW_TRY(const auto there, connection.integer("SELECT 1 FROM resource WHERE type = ? AND id = ?",
                                                name.substr(0, slash), name.substr(slash + 1)));
    if (!there) return fault(cat("pulled and lost: ", name));
  }
  GW_TRY(const auto unsent,
         connection.text("SELECT sop_instance_uid FROM dicom_instance i WHERE NOT EXISTS (SELECT 1 "
                         "FROM outbox WHERE kind = 'instance' AND subject = CAST(i.row AS TEXT))"
                         " AND NOT EXISTS (SELECT 1 FROM dicom_delivery WHERE instance = i.row)"));
  if (unsent) return fault(cat("neither waits to be sent nor was delivered: ", *unsent));
  GW_TRY(const auto lost,
         connection.text("SELECT sop_instance_uid FROM dicom_instance i WHERE state = 'evicted' AND"
                         " NOT EXISTS (SELECT 1 FROM dicom_delivery WHERE instance = i.row AND"
                         " proof = 'verified')"));
  if (lost) return fault(cat("evicted, and nobody has it: ", *lost));
  GW_TRY(const auto verdict, connection.text("PRAGMA integrity_check"));
  if (verdict != "ok") return fault(cat("integrity_check: ", verdict.value_or("nothing")));
  GW_TRY(const auto dangling, connection.text("PRAGMA foreign_key_check"));
  if (dangling) return fault(cat("dangling reference in ", *dangling));
  return {};
}

core::Status check_audit(Life& life, Connection& connection, const Promises& promises) {
  GW_TRY(const crypto::AuditReport report, life.held().audit().verify(connection));
  if (report.broken_at) return fault(cat("the audit chain is broken at ", *report.broken_at));
  if (report.head.sequence < promises.audit.sequence) {
    return fault(cat("audit rows after ", report.head.sequence, " are lost, ",
                     promises.audit.sequence, " were committed"));
  }
  GW_TRY(auto row,
         connection.query("SELECT mac FROM audit WHERE seq = ?", promises.audit.sequence));
  GW_TRY(const bool there, row.next());
  if (there && !std::ranges::equal(row.blob(0), promises.audit.mac)) {
    return fault("an audit row is not the one that was committed");
  }
  return {};
}

core::Status check_plaintext(const fakes::DiskImage& image) {
  const std::string found = find_planted(image.files);
  return found.empty() ? core::Status() : fault(cat("in plaintext: ", found));
}

core::Status check_keys(Life& life, const Promises& promises) {
  const crypto::RootState root = life.held().keyring().root();
  if (root.is_moving || root.number < promises.root) return fault("a new root key was not kept");
  GW_TRY(const auto epochs, life.held().keyring().epochs());
  for (const std::uint32_t epoch : epochs) {
    if (promises.retired_epochs.contains(epoch)) return fault(cat("epoch ", epoch, " is back"));
  }
  return {};
}

/// The run that counts is whole, and opens by what it was made under.
core::Status check_backup(Life& life, const Promises& promises) {
  if (!promises.backed_up) return {};
  GW_TRY(const std::string run, crypto::current_backup_run(life.files(), kMedium));
  GW_TRY(const auto verdict, crypto::BackupFolder(life.files(), kMedium).verify());
  if (!verdict.bad.empty()) return fault(cat("the backup is damaged: ", verdict.bad[0]));
  GW_TRY(const auto keyring, open_keyring(life.files(), cat(kMedium, '/', crypto::run_path(run))));
  return crypto::check_backup(life.files(), kMedium, *keyring);
}

bool may_stay(const std::string& path) {
  for (const char* name : {"gateway.db", "audit.witness", "keyring.json", "database-key.json"}) {
    if (path == cat(kState, '/', name)) return true;
  }
  return path == cat(kState, "/epochs") || path == cat(kState, "/epochs/known") ||
         path.starts_with(cat(kMedium, '/')) ||
         (path.starts_with(cat(kState, "/epochs/")) && path.ends_with(".key"));
}

core::Status check_leftovers(Life& life) {
  for (const std::string& path : life.disk().paths()) {
    if (path.starts_with(cat(kState, "/objects/"))) continue;
    if (!may_stay(path)) return fault(cat("left behind after a stop: ", path));
  }
  return {};
}

core::Status look(Life& life) {
  const Promises promises = life.ledger().now();
  GW_CHECK(life.open());
  GW_CHECK(check_instances(life, promises));
  GW_CHECK(check_keys(life, promises));
  GW_CHECK(check_backup(life, promises));
  auto outcome = life.held().database().read([&](Connection& connection) -> core::Status {
    GW_CHECK(check_records(connection, promises));
    GW_CHECK(check_rows(connection, promises));
    return check_audit(life, connection, promises);
  });
  GW_CHECK(outcome);
  auto works = life.receive(cat(kUidRoot, "9"), cat(kUidRoot, "9.1.1"), std::string(400, 'n'));
  if (!works.ok()) return std::move(works).with_context("it does not take in a new instance");
  life.close();
  return check_leftovers(life);
}

}  // namespace

Promises Ledger::now() const {
  const std::lock_guard lock(mutex_);
  return promises_;
}

Life::Life(const fakes::DiskImage& image, Promises promises)
    : disk_(std::make_unique<MemoryDisk>(image)),
      files_(disk_->files),
      state_(kState),
      medium_(kMedium) {
  ledger_.note([&](Promises& own) { own = std::move(promises); });
}

Life::Life(const std::string& folder, Promises promises)
    : files_(core::system_files()), state_(cat(folder, kState)), medium_(cat(folder, kMedium)) {
  ledger_.note([&](Promises& own) { own = std::move(promises); });
}

core::Status Life::open() {
  sync::HoldingsOptions options;
  options.state_folder = state_;
  options.ingest = {sync::kIssuer, {"pacs"}, {"his"}};
  options.worklist.patient_id_issuer = sync::kIssuer;
  options.worklist.time_zone = "Europe/Madrid";
  options.worklist.accession_prefix = "GW";
  GW_TRY(auto keyring, open_keyring(files_, state_));
  GW_TRY(auto held,
         sync::Holdings::open(files_, std::move(keyring), core::system_clock(), options));
  held_ = std::move(held);
  auto settled = settle();
  if (!settled.ok()) held_.reset();
  return settled;
}

core::Status Life::settle() {
  GW_CHECK(crypto::remove_backup_spool(files_, state_));
  if (held_->keyring().root().is_moving) GW_CHECK(crypto::rotate_root(under_root(*this)));
  GW_TRY(const bool unfinished, crypto::epoch_rotation_unfinished(files_, state_));
  if (unfinished) {
    GW_CHECK(crypto::finish_epoch_rotation(files_, state_, held_->keyring(), held_->objects(),
                                           core::Milliseconds(2000)));
  }
  GW_CHECK(sync::shred_doomed(held_->database(), held_->objects(), core::system_clock(),
                              [] { return false; }));
  return {};
}

void Life::close() { held_.reset(); }

core::Status Life::write(const crypto::Change& change) { return held_->database().write(change); }

core::Status Life::note_audit() {
  GW_TRY(const auto head,
         held_->database().read_value<crypto::AuditHead>(
             [](Connection& connection) { return crypto::Audit::head(connection); }));
  ledger_.note([&](Promises& promises) { promises.audit = head; });
  return {};
}

core::Result<sync::StoreOutcome> Life::take_in(const std::string& study, const std::string& sop,
                                               const std::string& bytes) {
  ledger_.note([&](Promises& promises) { promises.begun.emplace(sop, bytes); });
  GW_TRY(auto object, held_->ingest().begin_object());
  GW_CHECK(object->append(crypto::as_octets(bytes)));
  GW_TRY(auto outcome,
         held_->ingest().store(
             {facts_of(study, sop), {}, 0, std::string(kCallingTitle), "GATEWAY", "127.0.0.1"},
             *object));
  ledger_.note([&](Promises& promises) { promises.acknowledged.emplace(sop, bytes); });
  return outcome;
}

core::Status Life::receive(const std::string& study, const std::string& sop,
                           const std::string& bytes) {
  GW_CHECK(take_in(study, sop, bytes));
  return note_audit();
}

core::Status wait_for_idle_checkpoint(Life& life) {
  // The writer checkpoints after two seconds without work: only then the database file changes.
  const auto content = [&] { return life.disk().content(cat(kState, "/gateway.db")); };
  const std::string before = content();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (content() == before) {
    if (std::chrono::steady_clock::now() > deadline) {
      return core::Error(core::Code::internal, "no checkpoint came in 20 s without work");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return {};
}

namespace {

/// Its month stands still, and Argon2id's cost is the least allowed.
const core::Clock& keyring_clock() {
  static const crypto::HandClock clock;
  return clock;
}

/// Set up by a passphrase; the recovery code's slot opens it without Argon2id.
fakes::DiskImage set_up() {
  fakes::FaultFiles files;
  auto keyring =
      crypto::Keyring::create(files, kState, crypto::passphrase(kPassphrase), keyring_clock());
  EXPECT_TRUE(keyring.ok() &&
              (*keyring)->add_slot({crypto::RecoveryCode{recovery_code().bits.clone()}, ""}).ok());
  return files.image();
}

}  // namespace

bool every_point() { return std::getenv("GATEWAY_EVERY_POINT") != nullptr; }

fakes::DiskImage new_disk() {
  static const fakes::DiskImage disk = set_up();
  return disk;
}

core::Result<std::unique_ptr<crypto::Keyring>> open_keyring(core::Files& files,
                                                            const std::string& folder) {
  return crypto::Keyring::open(files, folder, crypto::RecoveryCode{recovery_code().bits.clone()},
                               keyring_clock());
}

crypto::UnderRoot under_root(Life& life) {
  return {life.files(),           life.state(),        life.held().keyring(),
          life.held().database(), life.held().audit(), *life.held().witness()};
}

std::string find_fault(const fakes::DiskImage& image, const Promises& promises) {
  auto looked = check_plaintext(image);
  if (looked.ok()) {
    Life life(image, promises);
    looked = look(life);
  }
  return looked.ok() ? std::string() : looked.error().message();
}

std::string find_fault_twice(const fakes::DiskImage& image, const Promises& promises,
                             std::uint64_t& points) {
  std::string found;
  Life life(image, promises);
  life.disk().watch([&](std::uint64_t, const fakes::FaultFiles::AfterPowerCut& after) {
    if (!found.empty()) return;
    found = find_fault(after(fakes::Unsynced::torn), life.ledger().now());
    ++points;
  });
  auto looked = look(life);
  life.disk().watch(nullptr);
  return !found.empty() || looked.ok() ? found : looked.error().message();
}

}  // namespace gateway::at_rest
