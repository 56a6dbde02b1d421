#include "sync/open_visit.h"

#include <algorithm>
#include <vector>

#include "core/civil_time.h"
#include "core/text.h"
#include "sync/incoming_message.h"
#include "sync/replica.h"
#include "sync/search.h"

namespace gateway::sync {
namespace {

// Of one patient; who has more is no patient.
constexpr int kVisitsMax = 1'000;

struct Visit {
  std::string id;
  core::Json body;
  std::string_view status() const { return body["status"].text(); }
};

bool is_going_on(const Visit& visit) {
  const std::string_view status = visit.status();
  return status == "in-progress" || status == "arrived" || status == "triaged" ||
         status == "onleave";
}

bool is_over(const Visit& visit) {
  const std::string_view status = visit.status();
  return status == "finished" || status == "cancelled" || status == "entered-in-error";
}

core::Result<bool> is_of_device(crypto::Connection& connection, const core::Json& visit,
                                const std::string& device) {
  const std::string_view source = visit["meta"]["source"].text();
  if (!source.starts_with(kMessageSource)) return false;
  GW_TRY(const auto sender, connection.text("SELECT device FROM message WHERE number = ?",
                                            source.substr(kMessageSource.size())));
  return sender && *sender == device;
}

core::Result<std::vector<Visit>> visits_of(crypto::Connection& connection,
                                           const std::string& device, const std::string& patient) {
  std::vector<Visit> visits;
  GW_TRY(const auto references,
         find_referrers(connection, core::cat("Patient/", patient), kVisitsMax, "Encounter"));
  for (const std::string& reference : references) {
    const auto key = parse_reference(reference);
    if (!key || key->type != "Encounter") continue;
    GW_TRY(const auto held, read_resource(connection, *key));
    if (!held) continue;
    GW_TRY(const bool is_own, is_of_device(connection, held->body, device));
    if (is_own) visits.push_back({key->id, held->body});
  }
  return visits;
}

/// Its id where it is the only one.
template <typename Is>
std::optional<std::string> only(const std::vector<Visit>& visits, Is is) {
  const Visit* found = nullptr;
  for (const Visit& visit : visits) {
    if (!is(visit)) continue;
    if (found != nullptr) return std::nullopt;
    found = &visit;
  }
  if (found == nullptr) return std::nullopt;
  return found->id;
}

std::optional<std::string> open_one(const std::vector<Visit>& visits, const core::Json& told) {
  const std::string_view start = told["period"]["start"].text();
  const std::string_view end = told["period"]["end"].text();
  const auto began_then = [&](const Visit& visit) {
    const std::string_view began = visit.body["period"]["start"].text();
    return start.empty() || began.empty() || began == start;
  };
  const auto goes_on = [&](const Visit& one) { return is_going_on(one) && began_then(one); };
  const auto is_open = [&](const Visit& one) { return !is_over(one) && began_then(one); };
  // A visit that was announced and never came stays planned for ever.
  if (std::ranges::any_of(visits, goes_on)) return only(visits, goes_on);
  if (std::ranges::any_of(visits, is_open)) return only(visits, is_open);
  return only(visits, [&](const Visit& one) {
    return !end.empty() && one.body["period"]["end"].text() == end && began_then(one);
  });
}

std::optional<std::string> closed_last(const std::vector<Visit>& visits) {
  std::optional<core::Wall> last;
  const auto ended = [](const Visit& visit) -> std::optional<core::Wall> {
    if (visit.status() != "finished") return std::nullopt;
    return core::parse_instant(visit.body["period"]["end"].text());
  };
  for (const Visit& visit : visits) {
    if (const auto at = ended(visit); at && (!last || *at > *last)) last = at;
  }
  if (last) return only(visits, [&](const Visit& one) { return ended(one) == last; });
  return only(visits, [](const Visit& one) { return one.status() == "finished"; });
}

}  // namespace

core::Result<std::optional<std::string>> find_visit_meant(crypto::Connection& connection,
                                                          const std::string& device,
                                                          const std::string& patient,
                                                          const Draft& draft) {
  GW_TRY(const auto visits, visits_of(connection, device, patient));
  return draft.visit == VisitMeant::closed ? closed_last(visits) : open_one(visits, draft.body);
}

}  // namespace gateway::sync
