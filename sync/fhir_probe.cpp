#include "sync/fhir_probe.h"

#include <algorithm>

#include "core/civil_time.h"
#include "core/text.h"
#include "sync/server_ids.h"

namespace gateway::sync {
namespace {

using core::Json;
using core::net::Awaitable;

constexpr std::size_t kPadding = 2'000;  // so much is worth packing
// A version no server has of what was made a moment ago.
constexpr std::string_view kStale = "999999";

Json json_of(Known known) { return known == Known::unknown ? Json() : Json(known == Known::yes); }

bool lists(const Json& interactions, std::string_view code) {
  return std::ranges::any_of(interactions.items(),
                             [&](const Json& one) { return one["code"].text() == code; });
}

Known claimed(bool claims) { return claims ? Known::yes : Known::no; }

void read_statement(const Json& statement, ServerAbilities& abilities) {
  if (statement["resourceType"].text() != "CapabilityStatement") return;
  const Json& software = statement["software"];
  abilities.software = core::cat(software["name"].text(), " ", software["version"].text());
  abilities.fhir_version = statement["fhirVersion"].text();
  const Json& rest = statement["rest"][std::size_t{0}];
  abilities.transaction = claimed(lists(rest["interaction"], "transaction"));
  bool has_history = false;
  for (const Json& resource : rest["resource"].items())
    has_history = has_history || lists(resource["interaction"], "history-type");
  abilities.type_history = claimed(has_history);
}

Json probe_body(const std::string& id, std::string_view said) {
  const Json code = Json::object({{"text", said}});
  return Json::object({{"resourceType", "Basic"}, {"id", id}, {"code", code}});
}

/// 2xx: the condition was ignored; a conflict: it was honoured.
Known honoured(int status) {
  if (status / 100 == 2) return Known::no;
  return status == 409 || status == 412 ? Known::yes : Known::unknown;
}

/// The asking of one server; lives in probe_server().
struct Probe {
  FhirEndpoint& endpoint;
  ResourceKey key;
  ServerAbilities abilities = {};
};

core::Status served(const core::Result<FhirAnswer>& answer) {
  if (!answer.ok()) return answer.error();
  constexpr int kNotAllowed = 403;  // of this type: it says nothing of the others
  if (answer->not_serving.empty() || answer->status == kNotAllowed) return {};
  return core::Error(core::Code::unavailable, answer->not_serving);
}

Awaitable<core::Result<bool>> takes_batch(Probe& probe, bool packed) {
  BundleWriter bundle(BundleKind::batch);
  bundle.read(probe.key.text());
  std::string text = std::move(bundle).finish();
  text.append(kPadding, ' ');
  const auto answer = co_await probe.endpoint.post_bundle(std::move(text), packed);
  GW_CO_CHECK(served(answer));
  co_return answer->status == 200 && answers_of(*answer, 1).ok();
}

Awaitable<core::Status> ask_for_bundles(Probe& probe) {
  ServerAbilities& abilities = probe.abilities;
  GW_CO_TRY(const bool packed, co_await takes_batch(probe, true));
  abilities.batch = abilities.gzip = claimed(packed);
  if (packed) co_return core::Status();
  GW_CO_TRY(const bool plain, co_await takes_batch(probe, false));
  abilities.batch = claimed(plain);
  if (!plain) abilities.gzip = Known::unknown;
  co_return core::Status();
}

Awaitable<core::Status> ask_in_bundle(Probe& probe, BundleKind kind) {
  BundleWriter bundle(kind);
  bundle.update(probe.key, probe_body(probe.key.id, "stale, in a Bundle").dump(), kStale);
  const auto answer = co_await probe.endpoint.post_bundle(std::move(bundle).finish(), false);
  GW_CO_CHECK(served(answer));
  const auto told = answers_of(*answer, 1);
  // A transaction that conflicts fails as a whole.
  probe.abilities.if_match_in_bundle = honoured(told.ok() ? told->front().status : answer->status);
  co_return core::Status();
}

core::Error not_answered(int status) {
  return core::Error(core::Code::unavailable,
                     core::cat("asked what it can, the server answered ", status));
}

/// Where it refuses our id, under one of its own; answers whether it was made. What it refuses both
/// ways is the type, and says nothing of ids.
Awaitable<core::Result<bool>> make_probe(Probe& probe) {
  const Json body = probe_body(probe.key.id, "a gateway's probe; it may be deleted");
  const auto made = co_await probe.endpoint.update(probe.key, body.dump(), "");
  GW_CO_CHECK(served(made));
  if (made->status / 100 == 2 || honoured(made->status) == Known::yes) {
    probe.abilities.put_creates = Known::yes;
    co_return true;
  }
  // It may have made it and failed afterwards: that is no refusal of our id.
  if (made->status / 100 == 5) co_return not_answered(made->status);
  std::string marked = as_marked(body, probe.key, "").dump();
  const auto posted =
      co_await probe.endpoint.create(probe.key.type, std::move(marked), mark_query(probe.key));
  GW_CO_CHECK(served(posted));
  if (posted->status / 100 == 5) co_return not_answered(posted->status);
  if (posted->status / 100 != 2 || posted->id.empty()) co_return false;
  probe.abilities.put_creates = Known::no;
  probe.key.id = posted->id;
  co_return true;
}

Awaitable<core::Status> ask_for_conditions(Probe& probe) {
  ServerAbilities& abilities = probe.abilities;
  GW_CO_TRY(const bool is_there, co_await make_probe(probe));
  if (!is_there) co_return core::Status();
  const auto stale = co_await probe.endpoint.update(
      probe.key, probe_body(probe.key.id, "stale").dump(), std::string(kStale));
  GW_CO_CHECK(served(stale));
  abilities.if_match = honoured(stale->status);
  if (const auto kind = abilities.bundles()) GW_CO_CHECK(co_await ask_in_bundle(probe, *kind));
  const auto again =
      co_await probe.endpoint.update(probe.key, probe_body(probe.key.id, "made again").dump(), "");
  GW_CO_CHECK(served(again));
  abilities.if_none_match = honoured(again->status);
  const auto removed = co_await probe.endpoint.remove(probe.key, "");
  co_return served(removed);
}

}  // namespace

std::optional<BundleKind> ServerAbilities::bundles() const {
  if (batch == Known::yes) return BundleKind::batch;
  if (transaction == Known::yes) return BundleKind::transaction;
  return std::nullopt;
}

Json ServerAbilities::report() const {
  if (asked_at.empty()) return {};
  Json warnings = Json::array();
  if (if_match == Known::no) {
    warnings.add(
        "it ignores If-Match: each record is read before it is written, and what is changed there "
        "between the two would be overwritten; ask its operator to switch version checks on");
  }
  if (bundles() && if_match_in_bundle == Known::unknown) {
    warnings.add(
        "it takes Bundles, but nothing of type Basic to try them with: resources are sent one by "
        "one; let this gateway create, update and delete Basic there");
  }
  if (if_match_in_bundle == Known::no)
    warnings.add("it ignores If-Match within a Bundle: resources are sent one by one");
  if (if_none_match == Known::no) {
    warnings.add(
        "it ignores If-None-Match: a creation that arrives late could undo a change made since");
  }
  if (type_history == Known::no)
    warnings.add(
        "it has no history of a type: deletions there are seen once a day only, by an inventory");
  return Json::object({{"asked_at", asked_at},
                       {"software", software},
                       {"fhir_version", fhir_version},
                       {"batch", json_of(batch)},
                       {"transaction", json_of(transaction)},
                       {"gzip", json_of(gzip)},
                       {"put_creates", json_of(put_creates)},
                       {"if_match", json_of(if_match)},
                       {"if_match_in_bundle", json_of(if_match_in_bundle)},
                       {"if_none_match", json_of(if_none_match)},
                       {"type_history", json_of(type_history)},
                       {"warnings", std::move(warnings)}});
}

Awaitable<core::Result<ServerAbilities>> probe_server(FhirEndpoint& endpoint, std::string probe_id,
                                                      const core::Clock& clock) {
  Probe probe{endpoint, {"Basic", std::move(probe_id)}};
  const auto statement = co_await endpoint.page("/metadata");
  GW_CO_CHECK(served(statement));
  read_statement(statement->body, probe.abilities);
  GW_CO_CHECK(co_await ask_for_bundles(probe));
  GW_CO_CHECK(co_await ask_for_conditions(probe));
  probe.abilities.asked_at = core::to_instant(clock.wall());
  co_return std::move(probe.abilities);
}

}  // namespace gateway::sync
