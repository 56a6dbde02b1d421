#include "tests/at_rest/life.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

#include "core/text.h"
#include "crypto/migrations.h"
#include "crypto/octets.h"
#include "sync/fhir_pull.h"
#include "sync/outbox.h"
#include "sync/replica.h"
#include "tests/crypto/keys.h"
#include "tests/sync/records_fixture.h"

namespace gateway::at_rest {
namespace {

using core::cat;
using crypto::Connection;

constexpr char kPatientName[] = "Villarrubiales^Maximiliana^Sorolla";
constexpr char kPatientId[] = "CLINICPAT00077";
constexpr char kPixels[] = "the run of pixels a thief would look for";
constexpr char kUidRoot[] = "1.2.826.0.1.3680043.10.77.4711.";
// Nothing of these may be readable on the disk.
constexpr std::array<std::string_view, 4> kPlanted = {kPatientName, kPatientId, kPixels, kUidRoot};

constexpr char kPatient[] =
    R"({"resourceType":"Patient","id":"p77","meta":{"versionId":"1"},)"
    R"("identifier":[{"system":"urn:oid:2.25.1","value":"CLINICPAT00077"}],)"
    R"("name":[{"family":"Villarrubiales","given":["Maximiliana"]}],"gender":"female","birthDate":"1980-01-02"})";
constexpr char kOrder[] =
    R"({"resourceType":"ServiceRequest","id":"s77","meta":{"versionId":"1"},"status":"active","intent":"order",)"
    R"("identifier":[{"type":{"coding":[{"code":"ACSN"}]},"value":"ACC-77"}],)"
    R"("orderDetail":[{"coding":[{"system":"http://dicom.nema.org/resources/ontology/DCM","code":"CT"}]}],)"
    R"("subject":{"reference":"Patient/p77"},"occurrenceDateTime":"2026-03-01T09:30:00Z"})";

std::string uid(const std::string& last) { return kUidRoot + last; }

std::string pixels(std::size_t size, char shade) {
  std::string bytes;
  while (bytes.size() < size) bytes += cat(kPixels, ' ', std::string(1, shade), bytes.size());
  bytes.resize(size);
  return bytes;
}

/// Ends the first step with a database an older version would have left: the rooms to the right
/// migrate it when the holdings open.
core::Status set_up_as_an_older_version(Life& life) {
  auto& keyring = crypto::shared_keyring();
  GW_TRY(const crypto::Secret key, keyring.derived_key("database"));
  GW_TRY(auto audit, crypto::Audit::create(keyring));
  const auto migrations = crypto::migrations();
  {
    GW_TRY(auto database,
           crypto::Database::open(cat(kState, "/gateway.db"), key, migrations, life.files()));
    crypto::AuditHead head;
    auto outcome = database->write([&](Connection& connection) -> core::Status {
      GW_CHECK(
          audit.append(connection, {{}, "operator", "unlock", "gateway", "", "local", "success"}));
      GW_TRY(head, crypto::Audit::head(connection));
      return {};
    });
    GW_CHECK(outcome);
    life.ledger().note([&](Promises& promises) { promises.audit = head; });
  }
  return life.open();
}

core::Status pull_an_order(Life& life) {
  for (const char* text : {kPatient, kOrder}) {
    GW_TRY(const core::Json resource, core::Json::parse(text));
    auto outcome = life.write([&](Connection& connection) -> core::Status {
      const sync::Reconciling with{life.held().audit(), core::system_clock(), "his"};
      GW_CHECK(sync::apply_pulled(connection, with, resource, life.held().options().worklist));
      return {};
    });
    GW_CHECK(outcome);
    const std::string name = cat(resource["resourceType"].text(), '/', resource["id"].text());
    life.ledger().note([&](Promises& promises) { promises.resources.insert(name); });
  }
  return {};
}

core::Status receive_a_study(Life& life) {
  const std::string study = uid("1");
  for (const char* number : {"1.1.1", "1.1.2", "1.1.3"}) {
    GW_CHECK(life.receive(study, uid(number), pixels(700, number[4])));
  }
  // Two chunks; a repeat; other bytes under a UID that is held.
  GW_CHECK(life.receive(study, uid("1.1.4"), pixels(300'000, 'L')));
  GW_CHECK(life.receive(study, uid("1.1.2"), pixels(700, '2')));
  GW_CHECK(life.receive(study, uid("1.1.3"), pixels(700, 'x')));
  // One that the modality breaks off.
  GW_TRY(auto abandoned, life.held().ingest().begin_object());
  return abandoned->append(crypto::as_octets(pixels(600'000, 'a')));
}

core::Status deliver(Life& life) {
  for (const std::string uplink : {"his", "pacs"}) {
    sync::Claim claim;
    auto claimed = life.write([&](Connection& connection) -> core::Status {
      GW_TRY(claim, sync::claim_rows(connection, uplink, {3, 1U << 30, {}, nullptr}));
      return {};
    });
    GW_CHECK(claimed);
    std::vector<sync::Verdict> verdicts;
    std::set<std::string> instances;
    for (const sync::OutboxRow& row : claim.rows) {
      // The first two arrive, the third's answer is lost.
      const bool arrived = verdicts.size() < 2;
      const auto what = arrived ? sync::Verdict::What::done : sync::Verdict::What::again;
      verdicts.push_back({what, row.number, !arrived, true, "", "1", 1, false});
      if (arrived && row.kind == "instance") instances.insert(row.subject);
    }
    std::set<std::string> delivered;
    auto recorded = life.write([&](Connection& connection) -> core::Status {
      GW_CHECK(sync::record_verdicts(connection, uplink, verdicts, sync::kNow));
      for (const std::string& row : instances) {
        GW_TRY(const auto sop,
               connection.text("SELECT sop_instance_uid FROM dicom_instance WHERE row = ?",
                               std::stoll(row)));
        delivered.insert(sop.value_or(""));
      }
      return {};
    });
    GW_CHECK(recorded);
    life.ledger().note(
        [&](Promises& promises) { promises.delivered.insert(delivered.begin(), delivered.end()); });
  }
  return {};
}

/// The daemon stops and starts; what was being sent waits again.
core::Status stop_and_start(Life& life) {
  life.close();
  GW_CHECK(life.open());
  return life.write([](Connection& connection) { return sync::release_claims(connection); });
}

/// More than one stock of object names holds, so that a refill meets what is not synced.
core::Status receive_a_series(Life& life) {
  for (int i = 1; i <= 20; ++i) {
    GW_CHECK(life.receive(uid("2"), uid(cat("2.1.", i)),
                          pixels(500 + static_cast<std::size_t>(i), 's')));
  }
  return {};
}

constexpr std::array kLife = {
    Step{"set up, migrate", set_up_as_an_older_version},
    Step{"pull an order", pull_an_order},
    Step{"receive a study", receive_a_study},
    Step{"deliver", deliver},
    Step{"stop and start", stop_and_start},
    Step{"receive a series", receive_a_series},
    Step{"deliver more", deliver},
    // Eviction, rotation and backup go here.
    Step{"stop and start again", stop_and_start},
};

sync::InstanceFacts facts_of(const std::string& study, const std::string& sop) {
  sync::InstanceFacts facts;
  facts.sop_class_uid = "1.2.840.10008.5.1.4.1.1.2";
  facts.sop_instance_uid = sop;
  facts.study_instance_uid = study;
  facts.series_instance_uid = study + ".1";
  facts.transfer_syntax_uid = "1.2.840.10008.1.2.1";
  facts.patient_id = kPatientId;
  facts.patient_name = kPatientName;
  facts.birth_date = "19800102";
  facts.sex = "F";
  facts.modality = "CT";
  return facts;
}

core::Result<std::string> read_whole(sync::Holdings& held, const std::string& id) {
  GW_TRY(auto reader, held.objects().open_object(id));
  std::string bytes(static_cast<std::size_t>(reader->size()), '\0');
  GW_TRY(const std::size_t got, reader->read(0, std::as_writable_bytes(std::span(bytes))));
  if (got != bytes.size())
    return core::Error(core::Code::corrupt, "the object is shorter than it says");
  return bytes;
}

/// The rows of dicom_instance, whose objects must open.
struct Visible {
  std::set<Received> instances;
  std::set<std::string> objects;
};

core::Result<Visible> look_at_instances(sync::Holdings& held) {
  std::vector<std::pair<std::string, std::string>> rows;
  auto outcome = held.database().read([&](Connection& connection) -> core::Status {
    GW_TRY(auto found, connection.query("SELECT sop_instance_uid, object_id FROM dicom_instance"));
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

core::Status check_instances(Life& life, const Promises& promises) {
  GW_TRY(const Visible visible, look_at_instances(life.held()));
  for (const Received& one : promises.acknowledged) {
    if (!visible.instances.contains(one)) return fault(cat("acknowledged and lost: ", one.first));
  }
  for (const Received& one : visible.instances) {
    if (!promises.acknowledged.contains(one) && !promises.begun.contains(one)) {
      return fault(cat("visible, but nobody sent it so: ", one.first));
    }
  }
  for (const std::string& path : life.files().paths()) {
    if (!path.starts_with(cat(kState, "/objects/"))) continue;
    const std::string name = path.substr(path.find_last_of('/') + 1);
    if (!visible.objects.contains(name)) return fault(cat("no row knows the file ", path));
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
  for (const auto& [path, content] : image.files) {
    for (std::string_view planted : kPlanted) {
      if (content.find(planted) != std::string::npos) {
        return fault(cat(path, " holds in plaintext: ", planted));
      }
    }
  }
  return {};
}

core::Status check_leftovers(Life& life) {
  for (const std::string& path : life.files().paths()) {
    if (path.starts_with(cat(kState, "/objects/"))) continue;
    if (path == cat(kState, "/audit.witness")) continue;
    if (path != cat(kState, "/gateway.db")) return fault(cat("left behind after a stop: ", path));
  }
  return {};
}

core::Status look(Life& life) {
  const Promises promises = life.ledger().now();
  GW_CHECK(life.open());
  GW_CHECK(check_instances(life, promises));
  auto outcome = life.held().database().read([&](Connection& connection) -> core::Status {
    GW_CHECK(check_rows(connection, promises));
    return check_audit(life, connection, promises);
  });
  GW_CHECK(outcome);
  auto works = life.receive(uid("9"), uid("9.1.1"), pixels(400, 'n'));
  if (!works.ok()) return std::move(works).with_context("it does not take in a new instance");
  life.close();
  return check_leftovers(life);
}

}  // namespace

Promises Ledger::now() const {
  const std::lock_guard lock(mutex_);
  return promises_;
}

Life::Life(const fakes::DiskImage& image, Promises promises) : files_(image), vfs_(files_) {
  ledger_.note([&](Promises& own) { own = std::move(promises); });
}

core::Status Life::open() {
  sync::HoldingsOptions options;
  options.state_folder = kState;
  options.ingest = {sync::kIssuer, {"pacs"}, {"his"}};
  options.worklist.patient_id_issuer = sync::kIssuer;
  options.worklist.time_zone = "Europe/Madrid";
  options.worklist.accession_prefix = "GW";
  GW_TRY(held_, sync::Holdings::open(
                    files_, std::make_unique<sync::BorrowedKeyring>(crypto::shared_keyring()),
                    core::system_clock(), options));
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

core::Status Life::receive(const std::string& study, const std::string& sop,
                           const std::string& bytes) {
  ledger_.note([&](Promises& promises) { promises.begun.emplace(sop, bytes); });
  GW_TRY(auto object, held_->ingest().begin_object());
  GW_CHECK(object->append(crypto::as_octets(bytes)));
  GW_CHECK(held_->ingest().store(
      {facts_of(study, sop), {}, 0, "MODALITYSEVEN", "GATEWAY", "127.0.0.1"}, *object));
  ledger_.note([&](Promises& promises) { promises.acknowledged.emplace(sop, bytes); });
  return note_audit();
}

std::span<const Step> whole_life() { return kLife; }

core::Status wait_for_idle_checkpoint(Life& life) {
  // The writer checkpoints after two seconds without work: only then the database file changes.
  const auto content = [&] { return life.files().content(cat(kState, "/gateway.db")); };
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

fakes::DiskImage new_disk() { return {{kState}, {}}; }

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
  life.files().watch([&](std::uint64_t, const fakes::FaultFiles::AfterPowerCut& after) {
    if (!found.empty()) return;
    found = find_fault(after(fakes::Unsynced::torn), life.ledger().now());
    ++points;
  });
  auto looked = look(life);
  life.files().watch(nullptr);
  return !found.empty() || looked.ok() ? found : looked.error().message();
}

}  // namespace gateway::at_rest
