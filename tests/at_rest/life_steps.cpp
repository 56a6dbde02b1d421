// The steps of the life, in the order they are lived.
#include <algorithm>
#include <array>

#include "core/text.h"
#include "crypto/backup_folder.h"
#include "crypto/database_key.h"
#include "crypto/epoch_rotation.h"
#include "crypto/migrations.h"
#include "crypto/octets.h"
#include "crypto/root_rotation.h"
#include "sync/clinic_edit.h"
#include "sync/eviction.h"
#include "sync/fhir_pull.h"
#include "sync/migrations.h"
#include "sync/outbox.h"
#include "sync/recovery.h"
#include "sync/replica.h"
#include "sync/shredding.h"
#include "sync/uploads.h"
#include "tests/at_rest/life.h"
#include "tests/at_rest/planted.h"
#include "tests/crypto/backup_feed.h"
#include "tests/sync/records_fixture.h"

namespace gateway::at_rest {
namespace {

using core::cat;
using core::Json;
using crypto::Connection;

constexpr core::Milliseconds kPatience{2000};

std::string uid(const std::string& last) { return cat(kUidRoot, last); }

std::string pixels(std::size_t size, char shade) {
  const std::string_view run = kPixelRuns[static_cast<unsigned char>(shade) % kPixelRuns.size()];
  std::string bytes;
  while (bytes.size() < size) bytes += cat(run, ' ', std::string(1, shade), bytes.size());
  bytes.resize(size);
  return bytes;
}

Json patient_of(std::size_t number) {
  const Person& person = kPersons[number];
  return Json::object(
      {{"resourceType", "Patient"},
       {"id", cat("p", number)},
       {"meta", Json::object({{"versionId", "1"}})},
       {"identifier",
        Json::array({Json::object({{"system", sync::kIssuer}, {"value", person.id}})})},
       {"name", Json::array({Json::object(
                    {{"family", person.family}, {"given", Json::array({person.given})}})})},
       {"gender", "female"},
       {"birthDate", person.birth_date}});
}

Json order_of(std::size_t number) {
  const Json coding =
      Json::object({{"system", "http://dicom.nema.org/resources/ontology/DCM"}, {"code", "CT"}});
  const Json kind = Json::object({{"coding", Json::array({Json::object({{"code", "ACSN"}})})}});
  return Json::object(
      {{"resourceType", "ServiceRequest"},
       {"id", cat("s", number)},
       {"meta", Json::object({{"versionId", "1"}})},
       {"status", "active"},
       {"intent", "order"},
       {"identifier",
        Json::array({Json::object({{"type", kind}, {"value", kPersons[number].accession}})})},
       {"orderDetail", Json::array({Json::object({{"coding", Json::array({coding})}})})},
       {"subject", Json::object({{"reference", cat("Patient/p", number)}})},
       {"occurrenceDateTime", "2026-03-01T09:30:00Z"},
       {"note", Json::array({Json::object({{"text", kNotes[number % kNotes.size()]}})})}});
}

/// A database of the first version: only the first migration of each room, and a resource in it.
/// The holdings migrate it, and make its search index, when they open.
core::Status set_up_as_an_older_version(Life& life) {
  GW_TRY(const auto keyring, open_keyring(life.files(), life.state()));
  GW_TRY(const crypto::Secret key, crypto::database_key(*keyring, 1, 1));
  const std::array older = {crypto::migrations().front(), sync::migrations().front()};
  const Json ward =
      Json::object({{"resourceType", "Location"}, {"id", "ward"}, {"description", kNotes[3]}});
  {
    GW_TRY(auto database,
           crypto::Database::open(crypto::database_path(life.state()), key, older, life.files()));
    auto outcome = database->write([&](Connection& connection) -> core::Status {
      GW_CHECK(connection.run("INSERT INTO resource VALUES ('Location', 'ward', 1, 0)"));
      return connection.run(
          "INSERT INTO resource_version VALUES ('Location', 'ward', 1, 'his', '', ?)", ward.dump());
    });
    GW_CHECK(outcome);
    life.ledger().note([](Promises& promises) { promises.resources.insert("Location/ward"); });
  }
  return life.open();
}

core::Status pull(Life& life, const std::vector<Json>& page) {
  auto outcome = life.write([&](Connection& connection) -> core::Status {
    const sync::Reconciling with{life.held().audit(), core::system_clock(), "his"};
    for (const Json& resource : page) {
      GW_CHECK(sync::apply_pulled(connection, with, resource, life.held().options().worklist));
    }
    return {};
  });
  GW_CHECK(outcome);
  for (const Json& resource : page) {
    const std::string name = cat(resource["resourceType"].text(), '/', resource["id"].text());
    life.ledger().note([&](Promises& promises) { promises.resources.insert(name); });
  }
  return life.note_audit();
}

core::Status pull_orders(Life& life) {
  GW_CHECK(pull(life, {patient_of(0)}));
  GW_CHECK(pull(life, {order_of(0)}));
  std::vector<Json> page;
  for (std::size_t number = 1; number < kPersons.size(); ++number) {
    page.push_back(patient_of(number));
    page.push_back(order_of(number));
  }
  return pull(life, page);
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

Json observation_of(std::string_view patient, int value) {
  return Json::object({{"resourceType", "Observation"},
                       {"status", "final"},
                       {"code", Json::object({{"text", "Glucose"}})},
                       {"subject", Json::object({{"reference", patient}})},
                       {"effectiveDateTime", "2026-03-01T08:00:00Z"},
                       {"valueQuantity", Json::object({{"value", value}, {"unit", "mg/dL"}})}});
}

sync::IncomingMessage message_of(std::size_t number) {
  const Person& person = kPersons[number % kPersons.size()];
  sync::IncomingMessage message;
  message.device = "lab";
  message.control_id = cat("C", number);
  message.kind = "ORU^R01";
  message.bytes = cat("MSH|^~\\&|", message.control_id, "\rPID|||", person.id, "||",
                      dicom_name(person), "\rNTE|1||", kNotes[number % kNotes.size()], "\r");
  message.source = "127.0.0.1";
  message.answer = cat("MSA|AA|", message.control_id);
  message.patient.is_told = true;
  message.patient.ids = {{sync::kIssuer, std::string(person.id)}};
  message.patient.facts.name = dicom_name(person);
  sync::Draft result;
  result.body = observation_of(sync::kPatientReference, static_cast<int>(number));
  result.kind = sync::DraftKind::result;
  result.seed = message.control_id;
  message.add(std::move(result));
  return message;
}

/// An analyzer sends results; the answer to one of them it did not hear.
core::Status take_in_results(Life& life) {
  for (const std::size_t number : {0U, 1U, 2U, 1U}) {
    const sync::IncomingMessage message = message_of(number);
    GW_TRY(const sync::Taken taken, life.held().intake().take_now(message));
    const bool is_repeat = life.ledger().now().messages.contains(message.control_id);
    const auto expected = is_repeat ? sync::Taken::Outcome::repeated : sync::Taken::Outcome::stored;
    if (taken.outcome != expected) {
      return core::Error(core::Code::internal,
                         cat("a message is ", sync::to_string(taken.outcome), ' ', taken.reason));
    }
    life.ledger().note(
        [&](Promises& promises) { promises.messages[message.control_id] = message.bytes; });
  }
  return life.note_audit();
}

/// A nurse's app writes a result, and corrects it twice.
core::Status edit_in_the_clinic(Life& life) {
  const std::vector<std::string> uplinks{"his"};
  const sync::Editing editing{
      life.held().audit(), core::system_clock(), life.held().options().worklist, uplinks,
      "client:ward",       "127.0.0.1"};
  for (const int value : {4, 5, 6}) {
    std::int64_t version = 0;
    auto outcome = life.write([&](Connection& connection) -> core::Status {
      Json body = observation_of("Patient/p0", value);
      body.set("id", "written");
      GW_TRY(version, sync::store_edit(connection, editing, {"Observation", "written"}, body,
                                       value == 4 ? "create" : "update"));
      return {};
    });
    GW_CHECK(outcome);
    life.ledger().note([&](Promises& promises) {
      auto& values = promises.edits["Observation/written"];
      values.resize(static_cast<std::size_t>(version), value);
    });
  }
  return life.note_audit();
}

/// As a hub does: takes in what a health post uploads.
class UploadPort {
 public:
  explicit UploadPort(Life& life)
      : life_(life),
        uploads_(core::system_clock(),
                 [this](const auto&, const auto&, const auto& next) { return take(next); }) {}

  /// The next `size` bytes, of which the client hears that they are there.
  core::Status send(const std::string& id, std::size_t size) {
    const Uploading upload = life_.ledger().now().uploads.at(id);
    GW_TRY(const auto found, uploads_.find(life_.held(), kPost, id));
    GW_TRY(const auto stream, uploads_.resume(life_.holdings(), kPost, id, found.received));
    GW_CHECK(stream->append(
        crypto::as_octets(std::string_view(upload.instance.second).substr(found.received, size))));
    GW_TRY(const auto now, uploads_.end(life_.held(), kPost, *stream));
    note(id, [&](Uploading& own) { own.acknowledged = now.received; });
    return {};
  }
  core::Result<std::string> begin(const std::string& sop, std::string bytes) {
    GW_TRY(const auto made, uploads_.create(life_.held(), kPost, bytes.size(), "", ""));
    const Received instance{sop, std::move(bytes)};
    life_.ledger().note([&](Promises& promises) {
      promises.uploads[made.id] = {instance, 0, Stands::open};
    });
    return made.id;
  }
  core::Status store(const std::string& id) {
    note(id, [](Uploading& own) { own.stands = Stands::storing; });
    auto stored = uploads_.store(life_.holdings(), {kPost, "127.0.0.1"}, id);
    // What cannot be read any more is given up, and the post is told to send it anew.
    const bool given_up = !stored.ok() && stored.error().code() == core::Code::corrupt;
    if (stored.ok() || given_up) {
      note(id, [&](Uploading& own) { own.stands = given_up ? Stands::removed : Stands::stored; });
    }
    if (!stored.ok()) return std::move(stored).error();
    return {};
  }
  core::Status remove(const std::string& id) {
    note(id, [](Uploading& own) { own.stands = Stands::removing; });
    GW_CHECK(uploads_.remove(life_.held(), kPost, id));
    note(id, [](Uploading& own) { own.stands = Stands::removed; });
    return {};
  }

 private:
  using Stands = Uploading::Stands;
  static constexpr char kPost[] = "post";

  template <class Change>
  void note(const std::string& id, Change change) {
    life_.ledger().note([&](Promises& promises) { change(promises.uploads.at(id)); });
  }
  core::Result<sync::StoreOutcome> take(
      const std::function<core::Result<std::span<const std::byte>>()>& next) {
    std::string bytes;
    while (true) {
      GW_TRY(const auto piece, next());
      if (piece.empty()) break;
      bytes += crypto::as_text(piece);
    }
    for (const auto& [id, upload] : life_.ledger().now().uploads) {
      if (upload.instance.second != bytes) continue;
      return life_.take_in(uid("5"), upload.instance.first, bytes);
    }
    return core::Error(core::Code::invalid, "nobody sent these bytes");
  }

  Life& life_;
  sync::Uploads uploads_;
};

/// One upload of each fate begins: the first will be whole, the second stays open, the third is
/// given up.
core::Status begin_uploads(Life& life) {
  UploadPort port(life);
  for (const char* number : {"5.1.1", "5.1.2", "5.1.3"}) {
    GW_TRY(const std::string id, port.begin(uid(number), pixels(90'000, number[4])));
    GW_CHECK(port.send(id, 70'000));
  }
  return {};
}

core::Status go_on_with_uploads(Life& life) {
  UploadPort port(life);
  for (const auto& [id, upload] : life.ledger().now().uploads) {
    if (upload.instance.first.ends_with("1")) {
      GW_CHECK(port.send(id, 20'000));
      GW_CHECK(port.store(id));
    } else if (upload.instance.first.ends_with("2")) {
      GW_CHECK(port.send(id, 10'000));
    } else {
      GW_CHECK(port.remove(id));
    }
  }
  GW_CHECK(sync::shred_doomed(life.held().database(), life.held().objects(), core::system_clock(),
                              [] { return false; }));
  return life.note_audit();
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

/// What was delivered is proven by the PACS, evicted and shredded.
core::Status evict_what_was_delivered(Life& life) {
  std::vector<std::int64_t> rows;
  std::set<std::string> leaving;
  auto proven = life.write([&](Connection& connection) -> core::Status {
    GW_CHECK(connection.run("UPDATE dicom_delivery SET proof = 'verified' WHERE uplink = 'pacs'"));
    GW_CHECK(connection.run("UPDATE dicom_study SET identity = 'linked'"));
    GW_TRY(auto found,
           connection.query("SELECT i.row, i.sop_instance_uid FROM dicom_instance i JOIN"
                            " dicom_delivery d ON d.instance = i.row WHERE i.state = 'held' AND"
                            // Of two under one UID the ledger could not tell which one left.
                            " (SELECT count(*) FROM dicom_instance o WHERE o.sop_instance_uid ="
                            " i.sop_instance_uid) = 1"));
    while (true) {
      GW_TRY(const bool more, found.next());
      if (!more) return {};
      rows.push_back(found.integer(0));
      leaving.emplace(found.text(1));
    }
  });
  GW_CHECK(proven);
  life.ledger().note([&](Promises& promises) { promises.leaving = leaving; });
  GW_TRY(const sync::Evicted evicted, sync::evict(life.held(), core::system_clock(), rows));
  if (evicted.instances != rows.size() || rows.empty()) {
    return core::Error(core::Code::io, "an object that may go could not be read, and stays");
  }
  life.ledger().note([&](Promises& promises) { promises.evicted = leaving; });
  GW_CHECK(sync::shred_doomed(life.held().database(), life.held().objects(), core::system_clock(),
                              [] { return false; }));
  return life.note_audit();
}

core::Status rotate_the_database_key(Life& life) {
  GW_CHECK(crypto::rotate_database_key(life.files(), life.held().keyring(), life.state(),
                                       life.held().database()));
  return {};
}

core::Status rotate_the_epochs(Life& life) {
  GW_TRY(const auto rotation,
         crypto::rotate_epochs(life.files(), life.state(), life.held().keyring(),
                               life.held().objects(), kPatience));
  life.ledger().note([&](Promises& promises) {
    for (const std::uint32_t epoch : rotation.retired) promises.retired_epochs.insert(epoch);
  });
  return {};
}

core::Status rotate_the_root(Life& life) {
  GW_TRY(const auto rotation, crypto::rotate_root(under_root(life)));
  life.ledger().note([&](Promises& promises) { promises.root = rotation.root; });
  return {};
}

/// The second run writes only what the first has not.
core::Status back_up(Life& life) {
  GW_TRY(auto source,
         crypto::BackupSource::begin({life.files(), life.state(), 0, life.held().keyring(),
                                      life.held().database(), life.held().objects(),
                                      sync::each_object, sync::kNow}));
  GW_CHECK(crypto::BackupFolder(life.files(), life.medium()).run(crypto::feed_of(*source)));
  life.ledger().note([](Promises& promises) { promises.backed_up = true; });
  return {};
}

core::Status receive_one_more(Life& life) {
  return life.receive(uid("3"), uid("3.1.1"), pixels(900, 'm'));
}

constexpr std::array kLife = {
    Step{"set up, migrate", set_up_as_an_older_version},
    Step{"pull orders", pull_orders},
    Step{"receive a study", receive_a_study},
    Step{"take in results", take_in_results},
    Step{"edit", edit_in_the_clinic},
    Step{"begin uploads", begin_uploads},
    Step{"deliver", deliver},
    Step{"stop and start", stop_and_start},
    Step{"go on with uploads", go_on_with_uploads},
    Step{"receive a series", receive_a_series},
    Step{"deliver more", deliver},
    Step{"back up", back_up},
    Step{"evict", evict_what_was_delivered},
    Step{"rotate the epochs", rotate_the_epochs},
    Step{"back up again", back_up},
    Step{"rotate the database's key", rotate_the_database_key},
    Step{"rotate the root", rotate_the_root},
    Step{"receive one more", receive_one_more},
    Step{"back up under the new root", back_up},
    Step{"stop and start again", stop_and_start},
};

}  // namespace

std::span<const Step> whole_life() { return kLife; }

sync::InstanceFacts facts_of(const std::string& study, const std::string& sop) {
  // A study's last digit says whose it is.
  const Person& person = kPersons[static_cast<unsigned char>(study.back()) % kPersons.size()];
  sync::InstanceFacts facts;
  facts.sop_class_uid = "1.2.840.10008.5.1.4.1.1.2";
  facts.sop_instance_uid = sop;
  facts.study_instance_uid = study;
  facts.series_instance_uid = study + ".1";
  facts.transfer_syntax_uid = "1.2.840.10008.1.2.1";
  facts.patient_id = person.id;
  facts.patient_name = dicom_name(person);
  facts.birth_date = person.birth_date;
  std::erase(facts.birth_date, '-');
  facts.sex = "F";
  facts.modality = "CT";
  return facts;
}

}  // namespace gateway::at_rest
