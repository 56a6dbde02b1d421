#include "adapters/hl7/order_queue.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <span>
#include <vector>

#include "core/text.h"
#include "crypto/digest.h"
#include "sync/merged_patients.h"
#include "sync/outbox.h"
#include "sync/pending_orders.h"
#include "sync/pull_state.h"
#include "sync/search.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using core::Json;
using crypto::Connection;
using sync::ResourceKey;

constexpr int kStep = 1'000;
constexpr int kReferrersMax = 10'000;
constexpr char kCursor[] = "orders";

std::string digest_of(std::string_view text, std::size_t bytes) {
  const crypto::Digest digest = crypto::sha256(std::as_bytes(std::span(text)));
  return core::to_hex({reinterpret_cast<const char*>(digest.data()), bytes});
}

/// The newest version that has a body: a deleted order is judged by what it was.
core::Result<Json> body_of(Connection& connection, const ResourceKey& key,
                           const sync::StoredResource& newest) {
  if (!newest.body.is_null()) return newest.body;
  GW_TRY(const auto before, sync::read_version(connection, key, newest.version - 1));
  return before.value_or(Json());
}

void add_key(std::vector<ResourceKey>& keys, std::string_view reference, std::string_view type) {
  auto key = sync::parse_reference(reference);
  if (!key || key->type != type) return;
  const bool is_known =
      std::ranges::any_of(keys, [&](const ResourceKey& one) { return one.text() == key->text(); });
  if (!is_known) keys.push_back(std::move(*key));
}

core::Result<bool> is_same_person(Connection& connection, const std::string& told,
                                  const std::string& now) {
  if (told == now) return true;
  GW_TRY(const auto records, sync::records_of_person(connection, now));
  return std::ranges::find(records, told) != records.end();
}

/// Those the order names, and those that name it: a tube is often drawn after the order was made.
core::Result<std::vector<Json>> specimens_of(Connection& connection, const Json& order,
                                             const std::string& id, const std::string& person) {
  std::vector<ResourceKey> keys;
  for (const Json& one : order["specimen"].items())
    add_key(keys, one["reference"].text(), "Specimen");
  GW_TRY(const auto drawn,
         sync::find_referrers(connection, cat("ServiceRequest/", id), kReferrersMax, "Specimen"));
  for (const std::string& reference : drawn) add_key(keys, reference, "Specimen");
  std::vector<Json> specimens;
  for (const ResourceKey& key : keys) {
    GW_TRY(auto held, sync::read_resource(connection, key));
    if (!held || held->body["status"].text() == "entered-in-error") continue;
    // A tube of somebody else is not this order's, whatever names it.
    const auto subject = sync::parse_reference(held->body["subject"]["reference"].text());
    if (subject && subject->type == "Patient") {
      GW_TRY(const bool is_theirs, is_same_person(connection, subject->id, person));
      if (!is_theirs) continue;
    }
    specimens.push_back(std::move(held->body));
  }
  return specimens;
}

/// What the device has is cancelled in the words it knows.
sync::ToldMessage cancelling(const sync::ToldMessage& taken) {
  return {"CA", "", taken.number, taken.patient, segments_of(taken.text)};
}

/// The order is for somebody else than the device was told, or for nobody.
core::Result<bool> names_another(Connection& connection, const Json& order,
                                 const sync::ToldOrder& told) {
  const auto subject = sync::parse_reference(order["subject"]["reference"].text());
  if (!subject || subject->type != "Patient") return true;
  GW_TRY(const bool is_same, is_same_person(connection, told.taken.patient, subject->id));
  return !is_same;
}

/// NW or XO by what the order, its patient and its specimens say now.
core::Status say(Connection& connection, const OrderDevice& device, const std::string& id,
                 Json order, std::string_view control, DueOrder& due) {
  GW_TRY(Json patient, sync::patient_of_order(connection, order));
  if (patient.is_null()) {
    bool is_moved = false;
    if (control == "XO") {
      GW_TRY(is_moved, names_another(connection, order, due.told));
    }
    // Whoever it is for now, it is not whom the device was told: that is taken back first.
    if (is_moved) {
      due.next = cancelling(due.told.taken);
    } else {
      due.problem = "names no patient that is here";
    }
    return {};
  }
  const std::string person(patient["id"].text());
  GW_TRY(auto specimens, specimens_of(connection, order, id, person));
  const OrderFacts facts{std::move(order), std::move(patient), std::move(specimens),
                         device.patient_id_issuer};
  const sync::ToldMessage& taken = due.told.taken;
  due.next = {std::string(control), "", placer_number(facts.order), person,
              order_segments(device.form, facts)};
  if (control != "XO") return {};
  if (due.next.text == segments_of(taken.text)) {
    due.next = {};
    return {};
  }
  GW_TRY(const bool is_same, is_same_person(connection, taken.patient, person));
  // Another number or another patient makes it another order to a device.
  if (!is_same || due.next.number != taken.number) due.next = cancelling(taken);
  return {};
}

/// How far the versions were looked at, by row: none is ever deleted, so rows keep their order.
struct Cursor {
  std::int64_t row = 0;
  std::string filter;
};

/// Where another filter left off says nothing about this one.
core::Result<Cursor> saved_place(Connection& connection, const OrderDevice& device) {
  Cursor place{0, digest_of(device.filter.text(), 8)};
  GW_TRY(const std::string saved, sync::saved_cursor(connection, device.name, kCursor));
  if (saved.ends_with(cat(' ', place.filter)))
    std::from_chars(saved.data(), saved.data() + saved.size(), place.row);
  return place;
}

struct Looked {
  std::vector<ResourceKey> keys;
  int rows = 0;
};

core::Result<Looked> look(Connection& connection, std::int64_t& after) {
  Looked looked;
  GW_TRY(auto rows, connection.query("SELECT rowid, type, id FROM resource_version"
                                     " WHERE rowid > ? ORDER BY rowid LIMIT ?",
                                     after, kStep));
  for (; true; ++looked.rows) {
    GW_TRY(const bool more, rows.next());
    if (!more) return looked;
    after = rows.integer(0);
    const std::string_view type = rows.text(1);
    if (type == "ServiceRequest" || type == "Patient" || type == "Specimen")
      looked.keys.push_back({std::string(type), std::string(rows.text(2))});
  }
}

core::Status add_referring_orders(Connection& connection, const std::string& target,
                                  std::set<std::string>& orders) {
  GW_TRY(const auto found,
         sync::find_referrers(connection, target, kReferrersMax, "ServiceRequest"));
  for (const std::string& reference : found)
    if (const auto key = sync::parse_reference(reference)) orders.insert(key->id);
  return {};
}

void add_requests(const Json& specimen, std::set<std::string>& orders) {
  for (const Json& one : specimen["request"].items()) {
    const auto key = sync::parse_reference(one["reference"].text());
    if (key && key->type == "ServiceRequest") orders.insert(key->id);
  }
}

/// Orders of which a message may say something else now.
core::Status add_orders(Connection& connection, const ResourceKey& changed,
                        std::set<std::string>& orders) {
  if (changed.type == "ServiceRequest") {
    orders.insert(changed.id);
    return {};
  }
  if (changed.type == "Patient") {
    GW_TRY(const auto records, sync::records_of_person(connection, changed.id));
    for (const std::string& record : records)
      GW_CHECK(add_referring_orders(connection, cat("Patient/", record), orders));
    return {};
  }
  GW_CHECK(add_referring_orders(connection, changed.text(), orders));
  GW_TRY(const auto newest, sync::read_newest_version(connection, changed));
  if (!newest) return {};
  // Also the version before: it may name an order that this one names no longer.
  for (const std::int64_t version : {newest->version, newest->version - 1}) {
    GW_TRY(const auto specimen, sync::read_version(connection, changed, version));
    if (specimen) add_requests(*specimen, orders);
  }
  return {};
}

}  // namespace

core::Result<DueOrder> due_order(Connection& connection, const OrderDevice& device,
                                 const std::string& id) {
  DueOrder due;
  const ResourceKey key{"ServiceRequest", id};
  GW_TRY(const auto newest, sync::read_newest_version(connection, key));
  if (!newest) return due;
  due.version = newest->version;
  GW_TRY(due.told, sync::read_told_order(connection, device.name, id));
  GW_TRY(Json order, body_of(connection, key, *newest));
  const bool is_its = !newest->body.is_null() && device.filter.fits(order);
  const std::string_view control = order_control(order, is_its, due.told.taken.control);
  if (control == "CA") {
    due.next = cancelling(due.told.taken);
  } else if (!control.empty()) {
    GW_CHECK(say(connection, device, id, std::move(order), control, due));
  }
  return due;
}

core::Result<sync::ToldMessage> begin_message(Connection& connection, const OrderDevice& device,
                                              const std::string& id, core::Wall now) {
  GW_TRY(DueOrder due, due_order(connection, device, id));
  if (due.is_open()) return std::move(due.told.open);
  sync::ToldMessage& next = due.next;
  if (next.control.empty()) return std::move(next);
  // MSH-10 has 20 characters up to v2.6. A backup that is put back makes the same one again.
  next.control_id = digest_of(
      cat(device.name, '|', id, '|', due.told.messages, '|', next.control, '|', next.text), 10);
  next.text =
      order_message({device.form, device.name, next.control_id, now}, next.control, next.text);
  GW_CHECK(sync::note_open(connection, device.name, id, next));
  return std::move(next);
}

core::Result<bool> has_news(Connection& connection, const OrderDevice& device) {
  GW_TRY(const Cursor place, saved_place(connection, device));
  GW_TRY(const auto newest, connection.integer("SELECT max(rowid) FROM resource_version"));
  return newest.value_or(0) > place.row;
}

core::Result<QueuedOrders> queue_orders(Connection& connection, const OrderDevice& device,
                                        std::string_view now_instant) {
  GW_TRY(Cursor place, saved_place(connection, device));
  GW_TRY(const Looked looked, look(connection, place.row));
  std::set<std::string> orders;
  for (const ResourceKey& key : looked.keys) GW_CHECK(add_orders(connection, key, orders));
  QueuedOrders done;
  done.is_all = looked.rows < kStep;
  for (const std::string& id : orders) {
    const std::string subject = cat("ServiceRequest/", id);
    GW_TRY(const DueOrder due, due_order(connection, device, id));
    // It is tried as it is now, or nobody wants it any more.
    GW_CHECK(sync::drop_parked(connection, device.name, subject));
    if (!due.is_due()) continue;
    GW_CHECK(sync::queue_row(connection, device.name, "resource", subject, 0, std::nullopt,
                             now_instant));
    ++done.queued;
  }
  GW_CHECK(sync::put_cursor(connection, device.name, kCursor, cat(place.row, ' ', place.filter)));
  return done;
}

}  // namespace gateway::adapters::hl7
