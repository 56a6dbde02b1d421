#include "sync/intake.h"

#include <algorithm>
#include <map>
#include <optional>
#include <span>

#include "core/ids.h"
#include "core/text.h"
#include "crypto/digest.h"
#include "sync/async_write.h"
#include "sync/correction.h"
#include "sync/critical_results.h"
#include "sync/duplicate_patients.h"
#include "sync/fhir/resource_rules.h"
#include "sync/open_visit.h"
#include "sync/outbox.h"
#include "sync/pull_state.h"
#include "sync/replica.h"
#include "sync/server_ids.h"
#include "sync/stable_id.h"

namespace gateway::sync {
namespace {

using core::Json;
using crypto::Connection;

// What newest_messages() and dead_letters() answer at most, but for the last of it.
constexpr std::size_t kKeptBytesMax = 8U << 20;

struct Taking {
  const crypto::Audit& audit;
  const core::Clock& clock;
  const std::vector<std::string>& uplinks;
  const WorklistOptions& worklist;
};

/// One message on its way in, inside the writer's transaction.
class Admission {
 public:
  Admission(Connection& connection, const IncomingMessage& message, const Taking& with)
      : connection_(connection),
        message_(message),
        with_(with),
        now_(core::to_instant(with.clock.wall())) {}

  core::Result<Taken> admit();
  core::Result<Taken> admit_again(std::int64_t number, const std::string& patient);

 private:
  core::Result<std::optional<Taken>> find_repeat(const crypto::Digest& digest);
  core::Status drop_unfinished();
  core::Status note_reused_control_id();
  core::Status decide();
  core::Status settle_patient();
  core::Status check_edits();
  core::Result<StudyIdentity> identify(const MessagePatient& told);
  core::Status store_drafts();
  core::Status store(const Draft& draft, const std::string& id);
  core::Result<std::string> id_of(const Draft& draft);
  core::Result<std::optional<std::string>> find_own(const std::string& type,
                                                    std::string_view system,
                                                    std::string_view value);
  bool is_anothers(std::string_view type, const Json& held) const;
  core::Result<std::optional<std::string>> find_by_own_id(const std::string& type,
                                                          std::string_view system,
                                                          std::string_view value);
  core::Result<bool> is_older_than(const Json& held);
  core::Result<Json> resolved(const Json& value);
  core::Status resolve_reference(Json& object);
  core::Status count_gaps();
  core::Status write_audit();
  void hold(Taken::Outcome outcome, std::string reason) {
    taken_.outcome = outcome;
    taken_.reason = std::move(reason);
  }

  Connection& connection_;
  const IncomingMessage& message_;
  const Taking with_;
  const std::string now_;
  Taken taken_;
  std::string assigned_;  // the Patient a person named
  std::string patient_;   // id
  bool is_new_patient_ = false;
  std::map<std::size_t, std::string> originals_;  // what corrections are of, by the draft's place
  std::vector<std::string> ids_;                  // of the drafts, as far as known
  std::string became_;                            // "Type/id ..."
};

core::Result<std::optional<Taken>> Admission::find_repeat(const crypto::Digest& digest) {
  GW_TRY(auto rows,
         connection_.query("SELECT number, answer FROM message WHERE device = ?"
                           " AND control_id = ? AND digest = ?",
                           message_.device, message_.control_id, std::span(digest).first(16)));
  GW_TRY(const bool found, rows.next());
  if (!found) return std::optional<Taken>();
  Taken taken;
  taken.outcome = Taken::Outcome::repeated;
  taken.number = rows.integer(0);
  taken.answer = rows.text(1);
  return std::optional<Taken>(std::move(taken));
}

core::Status Admission::note_reused_control_id() {
  if (message_.control_id.empty()) return {};
  GW_TRY(const auto other,
         connection_.integer("SELECT 1 FROM message WHERE device = ? AND control_id = ? LIMIT 1",
                             message_.device, message_.control_id));
  if (!other) return {};
  return connection_.run(
      "INSERT INTO mapping_gap (device, what, system, code, label, count, last_message)"
      " VALUES (?, 'control id', '', '', 'used again for another message', 1, ?)"
      " ON CONFLICT DO UPDATE SET count = count + 1, last_message = excluded.last_message",
      message_.device, taken_.number);
}

/// What this message completes, and what a broken connection left of it: their bytes are its
/// beginning.
core::Status Admission::drop_unfinished() {
  if (message_.begun == 0) return {};
  std::vector<std::int64_t> gone;
  {
    GW_TRY(auto rows,
           connection_.query("SELECT number, bytes FROM message JOIN message_raw USING (number)"
                             " WHERE state = 'dead' AND device = ? AND digest = x''",
                             message_.device));
    while (true) {
      GW_TRY(const bool more, rows.next());
      if (!more) break;
      const auto bytes = rows.blob(1);
      const std::string_view begun(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      if (rows.integer(0) == message_.begun || message_.bytes.starts_with(begun))
        gone.push_back(rows.integer(0));
    }
  }
  for (const std::int64_t number : gone) {
    GW_CHECK(connection_.run("DELETE FROM message_raw WHERE number = ?", number));
    GW_CHECK(connection_.run("DELETE FROM message WHERE number = ?", number));
  }
  return {};
}

core::Result<Taken> Admission::admit() {
  const crypto::Digest digest = crypto::sha256(std::as_bytes(std::span(message_.bytes)));
  GW_CHECK(drop_unfinished());
  GW_TRY(auto repeat, find_repeat(digest));
  if (repeat) return std::move(*repeat);
  GW_TRY(const auto newest, connection_.integer("SELECT max(number) FROM message"));
  taken_.number = newest.value_or(0) + 1;
  taken_.answer = message_.answer;
  GW_CHECK(note_reused_control_id());
  GW_CHECK(decide());
  GW_CHECK(connection_.run(
      "INSERT INTO message (number, device, control_id, digest, kind, received_at, event_at, state,"
      " reason, patient, became, answer) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      taken_.number, message_.device, message_.control_id, std::span(digest).first(16),
      message_.kind, now_, message_.event_at, to_string(taken_.outcome), taken_.reason, patient_,
      became_, message_.answer));
  GW_CHECK(connection_.run("INSERT INTO message_raw (number, bytes) VALUES (?, ?)", taken_.number,
                           std::as_bytes(std::span(message_.bytes))));
  GW_CHECK(count_gaps());
  GW_CHECK(raise_critical(connection_, message_, taken_.number, now_));
  GW_CHECK(write_audit());
  return std::move(taken_);
}

core::Result<Taken> Admission::admit_again(std::int64_t number, const std::string& patient) {
  taken_.number = number;
  assigned_ = patient;
  GW_CHECK(decide());
  GW_CHECK(connection_.run(
      "UPDATE message SET state = ?, reason = ?, patient = ?, became = ?, kind = ?, event_at = ?"
      " WHERE number = ? AND state <> 'stored'",
      to_string(taken_.outcome), taken_.reason, patient_, became_, message_.kind, message_.event_at,
      number));
  if (connection_.changes() == 0)
    return core::Error(core::Code::not_found, core::cat("no message ", number, " waits"));
  GW_CHECK(raise_critical(connection_, message_, number, now_));
  GW_CHECK(write_audit());
  return std::move(taken_);
}

core::Status Admission::decide() {
  if (!message_.dead_because.empty()) {
    hold(Taken::Outcome::dead, message_.dead_because);
    return {};
  }
  GW_CHECK(settle_patient());
  if (taken_.outcome == Taken::Outcome::stored) GW_CHECK(check_edits());
  if (taken_.outcome != Taken::Outcome::stored) return {};
  return store_drafts();
}

/// By the ids that were sent; a specimen's order must not say otherwise, and speaks where they are
/// silent.
core::Result<StudyIdentity> Admission::identify(const MessagePatient& told) {
  if (told.carriers.empty()) return match_patient(connection_, told.ids, told.facts);
  GW_TRY(StudyIdentity carried, match_carrier(connection_, told.carriers, told.facts));
  if (told.ids.empty()) return carried;
  GW_TRY(StudyIdentity own, match_patient(connection_, told.ids, told.facts));
  if (carried.state == "unassigned" || own.state == "disputed") return own;
  if (carried.state == "linked" && own.patient == carried.patient) return own;
  return StudyIdentity{"disputed", "the patient id is not that of the specimen's order", "", ""};
}

core::Status Admission::settle_patient() {
  const MessagePatient& told = message_.patient;
  if (!assigned_.empty()) {
    GW_TRY(const auto held, read_resource(connection_, {"Patient", assigned_}));
    if (!held)
      return core::Error(core::Code::not_found, core::cat("there is no Patient/", assigned_));
    patient_ = assigned_;
    return {};
  }
  if (!told.is_told && !told.is_required) return {};
  GW_TRY(StudyIdentity identity, identify(told));
  if (identity.state == "unassigned" || identity.state == "disputed") {
    hold(Taken::Outcome::unassigned, std::move(identity.reason));
    return {};
  }
  patient_ = std::move(identity.patient);
  if (identity.state == "provisional") {
    is_new_patient_ = true;
    patient_ = stable_id(core::cat("Patient ", told.ids[0].system, " ", told.ids[0].value));
  }
  return {};
}

/// An edit of what is not held for this patient may be the correction of the patient itself: the
/// first one would go on standing in somebody else's record.
core::Status Admission::check_edits() {
  const auto& drafts = message_.drafts;
  if (std::ranges::none_of(drafts, &Draft::is_edit)) return {};
  std::vector<std::string> ids;
  for (const Draft& draft : drafts) {
    GW_TRY(std::string id, id_of(draft));
    ids.push_back(std::move(id));
  }
  for (std::size_t i = 0; i < drafts.size(); ++i) {
    // Of what the same message tells before it, or of what is held under its id.
    const auto own = ids.begin() + static_cast<std::ptrdiff_t>(i);
    if (!drafts[i].is_edit || std::find(ids.begin(), own, *own) != own) continue;
    const std::string type(drafts[i].body["resourceType"].text());
    GW_TRY(const auto held, read_newest_version(connection_, {type, *own}));
    if (held) continue;
    Original original;
    original.held_because =
        std::string(drafts[i].visit == VisitMeant::seeded ? kEditOfNothing : kNoOpenVisit);
    if (drafts[i].kind == DraftKind::result) {
      GW_TRY(original, find_original(connection_, message_, i, ids, patient_));
    }
    if (!original.id.empty()) originals_[i] = *own = original.id;
    if (original.held_because.empty() || !assigned_.empty()) continue;
    hold(Taken::Outcome::unassigned, std::move(original.held_because));
    return {};
  }
  return {};
}

core::Status Admission::store_drafts() {
  if (is_new_patient_ || (message_.patient.updates && !patient_.empty()))
    GW_CHECK(store(message_.patient.draft, patient_));
  for (std::size_t i = 0; i < message_.drafts.size(); ++i) {
    const Draft& draft = message_.drafts[i];
    std::string id;
    if (const auto original = originals_.find(i); original != originals_.end()) {
      id = original->second;
    } else {
      GW_TRY(id, id_of(draft));
    }
    ids_.push_back(id);
    GW_CHECK(store(draft, id));
  }
  return {};
}

bool Admission::is_anothers(std::string_view type, const Json& held) const {
  const std::string owner = patient_of(held);
  return type != "Patient" && !patient_.empty() && !owner.empty() &&
         owner != core::cat("Patient/", patient_);
}

/// The one resource with that identifier, unless it is another patient's: a device numbers its
/// orders anew some day.
core::Result<std::optional<std::string>> Admission::find_own(const std::string& type,
                                                             std::string_view system,
                                                             std::string_view value) {
  GW_TRY(const auto found, find_by_identifier(connection_, type, system, value));
  std::optional<std::string> own;
  for (const std::string& id : found) {
    GW_TRY(const auto held, read_resource(connection_, {type, id}));
    if (held && is_anothers(type, held->body)) continue;
    if (own) return std::optional<std::string>();
    own = id;
  }
  return own;
}

/// A device is told the resource's id where an order has no number of its own. Many keep of a
/// number nothing but its first component: a UUID is known without its issuer too.
core::Result<std::optional<std::string>> Admission::find_by_own_id(const std::string& type,
                                                                   std::string_view system,
                                                                   std::string_view value) {
  std::optional<std::string> own;
  if (system != kMarkSystem && !core::is_uuid(value)) return own;
  GW_TRY(const auto held, read_resource(connection_, {type, std::string(value)}));
  if (held && !is_anothers(type, held->body)) own = value;
  return own;
}

core::Result<std::string> Admission::id_of(const Draft& draft) {
  const std::string type(draft.body["resourceType"].text());
  for (const BusinessId& known : draft.known_as) {
    GW_TRY(auto found, find_own(type, known.system, known.value));
    if (found) return std::move(*found);
  }
  // Ids of two patients' things never meet, whatever a device numbers them.
  const auto id_from = [&](const std::string& seed) {
    const std::string name = core::cat(type, " ", message_.device, " ", patient_, " ", seed);
    return draft.seed_at == core::Wall() ? stable_id(name) : stable_id(name, draft.seed_at);
  };
  std::string id = id_from(draft.seed);
  if (draft.visit == VisitMeant::seeded && draft.former_seed.empty()) return id;
  GW_TRY(const auto held, read_newest(connection_, {type, id}));
  if (held) return id;
  if (!draft.former_seed.empty()) {
    std::string former = id_from(draft.former_seed);
    GW_TRY(const auto held_before, read_newest(connection_, {type, former}));
    if (held_before) return former;
  }
  if (draft.visit == VisitMeant::seeded) return id;
  GW_TRY(auto meant, find_visit_meant(connection_, message_.device, patient_, draft));
  return meant ? std::move(*meant) : std::move(id);
}

/// By the message that what is held came from; what came from elsewhere is not older or newer.
core::Result<bool> Admission::is_older_than(const Json& held) {
  const std::string_view source = held["meta"]["source"].text();
  if (message_.event_at.empty() || !source.starts_with(kMessageSource)) return false;
  GW_TRY(const auto event_at, connection_.text("SELECT event_at FROM message WHERE number = ?",
                                               source.substr(kMessageSource.size())));
  return event_at && message_.event_at < *event_at;
}

core::Status Admission::store(const Draft& draft, const std::string& id) {
  const ResourceKey key{std::string(draft.body["resourceType"].text()), id};
  became_ += core::cat(became_.empty() ? "" : " ", key.text());
  GW_TRY(Json sent, resolved(draft.body));
  GW_TRY(const auto newest, read_newest_version(connection_, key));
  Json body;
  if (newest && !newest->body.is_null()) {
    // Whose a result is, no message changes that finds it: records of one person may be parted.
    if (draft.kind == DraftKind::result && newest->body["subject"].is_object())
      sent.set("subject", newest->body["subject"]);
    GW_TRY(const bool is_older, is_older_than(newest->body));
    auto met = meet_held(newest->body, draft, sent, is_older);
    if (!met) return {};
    body = std::move(*met);
  } else {
    body = first_version(draft, std::move(sent));
    body.set("id", id);
  }
  Json meta = body["meta"].is_object() ? body["meta"] : Json::object();
  meta.set("source", core::cat(kMessageSource, taken_.number));
  body.set("meta", std::move(meta));
  GW_CHECK(put_version(connection_, key, newest, body, "clinic", now_));
  ++taken_.changed;
  GW_CHECK(refresh_after(connection_, key, with_.worklist));
  // What it refers to goes first: the claim sees to that (sync/reference_order.h).
  for (const std::string& uplink : with_.uplinks)
    GW_CHECK(queue_row(connection_, uplink, "resource", key.text(), 0, std::nullopt, now_));
  if (key.type != "Patient") return {};
  return propose_own(connection_, with_.audit, with_.clock, body);
}

core::Status Admission::resolve_reference(Json& object) {
  const std::string reference(object["reference"].text());
  if (reference == kPatientReference) {
    if (patient_.empty()) return core::Error(core::Code::invalid, "the message names no patient");
    object.set("reference", core::cat("Patient/", patient_));
    return {};
  }
  if (const auto index = parse_draft_reference(reference)) {
    if (*index >= ids_.size())
      return core::Error(core::Code::internal, "a draft refers to one that stands after it");
    object.set("reference",
               core::cat(message_.drafts[*index].body["resourceType"].text(), "/", ids_[*index]));
    return {};
  }
  const Json identifier = object["identifier"];
  const std::string type(object["type"].text());
  if (!reference.empty() || type.empty() || !identifier.is_object()) return {};
  const std::string_view system = identifier["system"].text();
  const std::string_view value = identifier["value"].text();
  GW_TRY(auto found, find_own(type, system, value));
  if (!found) {
    GW_TRY(found, find_by_own_id(type, system, value));
  }
  if (found) object.set("reference", core::cat(type, "/", *found));
  return {};
}

core::Result<Json> Admission::resolved(const Json& value) {
  if (value.is_array()) {
    Json array = Json::array();
    for (const Json& item : value.items()) {
      GW_TRY(Json one, resolved(item));
      array.add(std::move(one));
    }
    return array;
  }
  if (!value.is_object()) return value;
  Json object = Json::object();
  for (const auto& [member, inner] : value.members()) {
    GW_TRY(Json one, resolved(inner));
    object.append_member(member, std::move(one));
  }
  GW_CHECK(resolve_reference(object));
  return object;
}

core::Status Admission::count_gaps() {
  for (const MappingGap& gap : message_.gaps) {
    GW_CHECK(connection_.run(
        "INSERT INTO mapping_gap (device, what, system, code, label, count, last_message)"
        " VALUES (?, ?, ?, ?, ?, 1, ?)"
        " ON CONFLICT DO UPDATE SET count = count + 1, label = excluded.label,"
        " last_message = excluded.last_message",
        message_.device, gap.what, gap.system, gap.code, gap.label, taken_.number));
  }
  return {};
}

core::Status Admission::write_audit() {
  const bool is_dead = taken_.outcome == Taken::Outcome::dead;
  return with_.audit.append(
      connection_, {.at = with_.clock.wall(),
                    .actor = core::cat("device:", message_.device),
                    .action = "create",
                    .resource = core::cat("message/", taken_.number),
                    .patient = patient_.empty() ? "" : "Patient/" + patient_,
                    .source = message_.source,
                    .outcome = core::cat(is_dead ? "failed: " : "", to_string(taken_.outcome))});
}

}  // namespace

std::string_view to_string(Taken::Outcome outcome) {
  switch (outcome) {
    case Taken::Outcome::stored:
      return "stored";
    case Taken::Outcome::repeated:
      return "repeated";
    case Taken::Outcome::unassigned:
      return "unassigned";
    case Taken::Outcome::dead:
      return "dead";
  }
  return "";
}

Intake::Intake(crypto::Database& database, const crypto::Audit& audit, const core::Clock& clock,
               std::vector<std::string> fhir_uplinks, const WorklistOptions& worklist,
               std::function<core::Status()> has_room)
    : database_(database),
      audit_(audit),
      clock_(clock),
      fhir_uplinks_(std::move(fhir_uplinks)),
      worklist_(worklist),
      has_room_(std::move(has_room)) {}

core::net::Awaitable<core::Result<Taken>> Intake::take(
    std::shared_ptr<const IncomingMessage> message) {
  GW_CO_CHECK(has_room_());
  auto taken = std::make_shared<Taken>();
  crypto::Change change = [this, message, taken](Connection& connection) -> core::Status {
    const Taking with{audit_, clock_, fhir_uplinks_, worklist_};
    GW_TRY(*taken, Admission(connection, *message, with).admit());
    return {};
  };
  GW_CO_CHECK(co_await write_async(database_, std::move(change)));
  if (taken->changed > 0) wake_();
  co_return std::move(*taken);
}

namespace {

core::Result<std::int64_t> add_part(Connection& connection, std::int64_t number,
                                    const IncomingMessage& part, std::string_view now) {
  const auto bytes = std::as_bytes(std::span(part.bytes));
  if (number != 0) {
    GW_CHECK(
        connection.run("UPDATE message_raw SET bytes = CAST(bytes || ? AS BLOB)"
                       " WHERE number = (SELECT number FROM message WHERE number = ?"
                       " AND state = 'dead' AND digest = x'')",
                       bytes, number));
    if (connection.changes() == 0)
      return core::Error(core::Code::not_found, "the unfinished message is not held any more");
    return number;
  }
  GW_TRY(const auto newest, connection.integer("SELECT max(number) FROM message"));
  number = newest.value_or(0) + 1;
  // Without a digest: it is nobody's repeat.
  GW_CHECK(connection.run(
      "INSERT INTO message (number, device, control_id, digest, kind, received_at, event_at, state,"
      " reason, patient, became, answer) VALUES (?, ?, '', x'', ?, ?, '', 'dead', ?, '', '', '')",
      number, part.device, part.kind, now, part.dead_because));
  GW_CHECK(connection.run("INSERT INTO message_raw (number, bytes) VALUES (?, ?)", number, bytes));
  return number;
}

}  // namespace

core::net::Awaitable<core::Result<std::int64_t>> Intake::take_part(
    std::int64_t number, std::shared_ptr<const IncomingMessage> part) {
  GW_CO_CHECK(has_room_());
  auto made = std::make_shared<std::int64_t>(0);
  crypto::Change change = [this, number, part, made](Connection& connection) -> core::Status {
    GW_TRY(*made, add_part(connection, number, *part, core::to_instant(clock_.wall())));
    return {};
  };
  GW_CO_CHECK(co_await write_async(database_, std::move(change)));
  co_return *made;
}

core::Result<Taken> Intake::take_now(const IncomingMessage& message) {
  GW_CHECK(has_room_());
  Taken taken;
  GW_CHECK(database_.write([&](Connection& connection) -> core::Status {
    const Taking with{audit_, clock_, fhir_uplinks_, worklist_};
    GW_TRY(taken, Admission(connection, message, with).admit());
    return {};
  }));
  if (taken.changed > 0) wake_();
  return taken;
}

core::Result<Taken> Intake::take_again(std::int64_t number, const IncomingMessage& message,
                                       const std::string& patient) {
  Taken taken;
  GW_CHECK(database_.write([&](Connection& connection) -> core::Status {
    const Taking with{audit_, clock_, fhir_uplinks_, worklist_};
    GW_TRY(taken, Admission(connection, message, with).admit_again(number, patient));
    return {};
  }));
  if (taken.changed > 0) wake_();
  return taken;
}

core::Result<KeptMessage> read_kept_message(Connection& connection, std::int64_t number) {
  GW_TRY(auto rows,
         connection.query("SELECT m.device, m.control_id, m.kind, m.state, m.reason, m.received_at,"
                          " m.answer, r.bytes FROM message m JOIN message_raw r USING (number)"
                          " WHERE m.number = ? AND m.state <> 'stored'",
                          number));
  GW_TRY(const bool found, rows.next());
  if (!found)
    return core::Error(
        core::Code::not_found,
        core::cat("no message ", number, " waits for a person; see clinic-gateway letters"));
  KeptMessage kept;
  kept.number = number;
  std::string* const columns[] = {&kept.device, &kept.control_id,  &kept.kind,  &kept.state,
                                  &kept.reason, &kept.received_at, &kept.answer};
  for (int i = 0; i < 7; ++i) *columns[i] = std::string(rows.text(i));
  const auto bytes = rows.blob(7);
  kept.bytes.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return kept;
}

core::Result<std::vector<std::string>> newest_messages(Connection& connection,
                                                       const std::string& device,
                                                       std::size_t count_max) {
  // The plus keeps it from walking through the messages of all devices.
  GW_TRY(auto rows,
         connection.query("SELECT r.bytes FROM message m JOIN message_raw r USING (number)"
                          " WHERE m.device = ? ORDER BY +m.number DESC LIMIT ?",
                          device, static_cast<std::int64_t>(count_max)));
  std::vector<std::string> newest;
  std::size_t held = 0;
  while (held < kKeptBytesMax) {
    GW_TRY(const bool more, rows.next());
    if (!more) break;
    const auto bytes = rows.blob(0);
    newest.emplace_back(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    held += bytes.size();
  }
  std::reverse(newest.begin(), newest.end());
  return newest;
}

core::Result<std::vector<std::string>> dead_letters(Connection& connection,
                                                    const std::string& device,
                                                    const std::string& reason,
                                                    std::size_t count_max) {
  GW_TRY(auto rows,
         connection.query("SELECT r.bytes FROM message m JOIN message_raw r USING (number)"
                          " WHERE m.state <> 'stored' AND m.state = 'dead' AND m.device = ?"
                          " AND m.reason = ? ORDER BY m.number DESC LIMIT ?",
                          device, reason, static_cast<std::int64_t>(count_max)));
  std::vector<std::string> letters;
  std::size_t held = 0;
  while (held < kKeptBytesMax) {
    GW_TRY(const bool more, rows.next());
    if (!more) break;
    const auto bytes = rows.blob(0);
    letters.emplace_back(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    held += bytes.size();
  }
  return letters;
}

core::Result<Json> letters_report(Connection& connection, std::int64_t limit) {
  GW_TRY(auto rows,
         connection.query("SELECT m.number, m.device, m.kind, m.control_id, m.received_at, m.state,"
                          " m.reason, length(r.bytes) FROM message m JOIN message_raw r USING "
                          "(number) WHERE m.state <> 'stored' ORDER BY m.number LIMIT ?",
                          limit));
  Json list = Json::array();
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return list;
    list.add(Json::object({{"number", rows.integer(0)},
                           {"device", rows.text(1)},
                           {"kind", rows.text(2)},
                           {"control_id", rows.text(3)},
                           {"received_at", rows.text(4)},
                           {"state", rows.text(5)},
                           {"reason", rows.text(6)},
                           {"bytes", rows.integer(7)}}));
  }
}

core::Result<Json> gaps_report(Connection& connection, std::int64_t limit) {
  GW_TRY(auto rows, connection.query("SELECT device, what, system, code, label, count FROM "
                                     "mapping_gap ORDER BY count DESC LIMIT ?",
                                     limit));
  Json list = Json::array();
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return list;
    list.add(Json::object({{"device", rows.text(0)},
                           {"what", rows.text(1)},
                           {"system", rows.text(2)},
                           {"code", rows.text(3)},
                           {"label", rows.text(4)},
                           {"count", rows.integer(5)}}));
  }
}

}  // namespace gateway::sync
