#include "sync/pending_orders.h"

#include <algorithm>
#include <optional>
#include <set>
#include <tuple>

#include "core/civil_time.h"
#include "core/text.h"
#include "sync/incoming_message.h"
#include "sync/merged_patients.h"
#include "sync/replica.h"
#include "sync/search.h"

namespace gateway::sync {
namespace {

using core::cat;
using core::Json;
using crypto::Connection;

constexpr int kReferrersMax = 100;
constexpr int kOrderPagesMax = 10;  // of 200

void add_new(std::vector<std::string>& all, std::string one) {
  if (std::ranges::find(all, one) == all.end()) all.push_back(std::move(one));
}

/// Thrown away, or never drawn: its number may be on another tube by now.
bool is_gone(const Json& specimen) {
  const std::string_view status = specimen["status"].text();
  return status == "unavailable" || status == "entered-in-error";
}

/// Whoever a subject is, under whichever of their records; what is no Patient stands for itself.
core::Status add_person(Connection& connection, const Json& resource,
                        std::vector<std::string>& persons) {
  const std::string_view subject = resource["subject"]["reference"].text();
  const auto key = parse_reference(subject);
  if (!key || key->type != "Patient") {
    add_new(persons, std::string(subject));
    return {};
  }
  GW_TRY(const auto records, replacements_of(connection, key->id));
  add_new(persons, records.back());
  return {};
}

/// What the tube names, and what names the tube.
core::Result<std::set<std::string>> orders_of(Connection& connection, const std::string& id,
                                              const Json& specimen) {
  std::set<std::string> orders;
  GW_TRY(auto references,
         find_referrers(connection, cat("Specimen/", id), kReferrersMax, "ServiceRequest"));
  for (const Json& request : specimen["request"].items())
    references.emplace_back(request["reference"].text());
  for (const std::string& reference : references) {
    const auto order = parse_reference(reference);
    if (order && order->type == "ServiceRequest") orders.insert(order->id);
  }
  return orders;
}

/// What an analyzer's result told of stays as it was told, and nobody calls it unavailable.
core::Result<bool> is_used_up(Connection& connection, const Json& specimen,
                              const std::set<std::string>& orders) {
  if (!specimen["meta"]["source"].text().starts_with(kMessageSource)) return false;
  for (const std::string& id : orders) {
    GW_TRY(const auto newest, read_newest_version(connection, {"ServiceRequest", id}));
    if (!newest) return false;  // nobody knows
    const std::string_view status = newest->body["status"].text();
    const bool is_over = newest->body.is_null() || status == "completed" || status == "revoked" ||
                         status == "entered-in-error";
    if (!is_over) return false;
  }
  return true;
}

/// A Specimen that carries the number.
struct Tube {
  Json body;
  std::set<std::string> orders;
};

core::Result<std::vector<Tube>> tubes_of(Connection& connection, const std::string& system,
                                         const std::string& number) {
  GW_TRY(const auto ids, find_by_identifier(connection, "Specimen", system, number));
  std::vector<Tube> tubes;
  for (const std::string& id : ids) {
    GW_TRY(auto held, read_resource(connection, {"Specimen", id}));
    if (!held || is_gone(held->body)) continue;
    GW_TRY(auto orders, orders_of(connection, id, held->body));
    GW_TRY(const bool is_over, is_used_up(connection, held->body, orders));
    if (!is_over) tubes.push_back({std::move(held->body), std::move(orders)});
  }
  return tubes;
}

std::optional<core::Wall> taken_at(const Json& specimen) {
  const Json& collection = specimen["collection"];
  const std::string_view at = collection["collectedDateTime"].text();
  return core::parse_instant(at.empty() ? collection["collectedPeriod"]["start"].text() : at);
}

/// The one the orders go with, else the newest; where nothing tells, the worse.
Json chosen(std::vector<Tube> tubes, const std::vector<Json>& orders) {
  const auto rank = [&](const Tube& tube) {
    const bool is_linked = std::ranges::any_of(orders, [&](const Json& order) {
      return tube.orders.contains(std::string(order["id"].text()));
    });
    return std::tuple(is_linked, taken_at(tube.body),
                      tube.body["status"].text() == "unsatisfactory");
  };
  const auto best = std::ranges::max_element(tubes, {}, rank);
  return best == tubes.end() ? Json() : std::move(best->body);
}

/// Numbers of one system that a resource carries.
void add_numbers(const Json& resource, const std::string& system,
                 std::vector<std::string>& numbers) {
  for (const Json& one : resource["identifier"].items()) {
    if (one["system"].text() != system || one["value"].text().empty()) continue;
    add_new(numbers, std::string(one["value"].text()));
  }
}

/// Of the order itself, and of the tubes that go with it.
core::Status add_numbers_of(Connection& connection, const std::string& id, const Json& order,
                            const std::string& system, std::vector<std::string>& numbers) {
  add_numbers(order, system, numbers);
  GW_TRY(auto references,
         find_referrers(connection, cat("ServiceRequest/", id), kReferrersMax, "Specimen"));
  for (const Json& one : order["specimen"].items())
    references.emplace_back(one["reference"].text());
  for (const std::string& reference : references) {
    const auto key = parse_reference(reference);
    if (!key || key->type != "Specimen") continue;
    GW_TRY(const auto held, read_resource(connection, *key));
    if (held && !is_gone(held->body)) add_numbers(held->body, system, numbers);
  }
  return {};
}

}  // namespace

bool is_to_be_done(const Json& order) {
  return order["status"].text() == "active" && order["intent"].text().ends_with("order") &&
         !order["doNotPerform"].boolean();
}

core::Result<Json> patient_of_order(Connection& connection, const Json& order) {
  const auto subject = parse_reference(order["subject"]["reference"].text());
  if (!subject || subject->type != "Patient") return Json();
  GW_TRY(const auto records, replacements_of(connection, subject->id));
  GW_TRY(auto held, read_resource(connection, {"Patient", records.back()}));
  // Replaced by one who is not held, or in a ring: nobody knows whom to name instead.
  if (!held || replaced_by(held->body)) return Json();
  return std::move(held->body);
}

core::Result<PendingOrders> pending_orders(Connection& connection, const std::string& system,
                                           const std::string& number) {
  PendingOrders pending;
  std::vector<std::string> persons;
  GW_TRY(const auto carried, find_by_identifier(connection, "ServiceRequest", system, number));
  std::set<std::string> orders(carried.begin(), carried.end());
  GW_TRY(auto tubes, tubes_of(connection, system, number));
  for (const Tube& tube : tubes) {
    if (!tube.body["subject"].is_null()) GW_CHECK(add_person(connection, tube.body, persons));
    orders.insert(tube.orders.begin(), tube.orders.end());
  }
  for (const std::string& id : orders) {
    GW_TRY(auto held, read_resource(connection, {"ServiceRequest", id}));
    if (!held || !is_to_be_done(held->body)) continue;
    GW_CHECK(add_person(connection, held->body, persons));
    pending.orders.push_back(std::move(held->body));
  }
  pending.specimen = chosen(std::move(tubes), pending.orders);
  if (pending.orders.empty()) return pending;
  if (persons.size() > 1) {
    pending.problem = "the specimen's number is of several patients";
  } else if (pending.specimen["status"].text() == "unsatisfactory") {
    pending.problem = "the specimen is unsatisfactory; another one has to be drawn";
  } else {
    GW_TRY(pending.patient, patient_of_order(connection, pending.orders.front()));
    if (pending.patient.is_null())
      pending.problem = "the specimen's order names no patient that is here";
  }
  if (!pending.problem.empty()) pending.orders.clear();
  return pending;
}

core::Result<std::vector<std::string>> pending_specimens(
    Connection& connection, const std::string& system,
    const std::function<bool(const Json& order)>& fits, std::size_t count_max) {
  GW_TRY(auto query,
         parse_search("ServiceRequest",
                      {{"status", "active"}, {"_sort", "-authored"}, {"_count", "200"}}, {}));
  std::vector<std::string> numbers;
  for (int page = 0; page < kOrderPagesMax && numbers.size() < count_max; ++page) {
    GW_TRY(const SearchPage found, run_search(connection, query));
    for (const std::string& id : found.ids) {
      GW_TRY(const auto order, read_resource(connection, {"ServiceRequest", id}));
      if (!order || !is_to_be_done(order->body) || !fits(order->body)) continue;
      GW_CHECK(add_numbers_of(connection, id, order->body, system, numbers));
      if (numbers.size() >= count_max) break;
    }
    if (!found.next) break;
    query.after = found.next;
  }
  if (numbers.size() > count_max) numbers.resize(count_max);
  return numbers;
}

}  // namespace gateway::sync
