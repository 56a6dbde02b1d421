#include "sync/fhir_push.h"

#include <algorithm>
#include <array>
#include <optional>

#include "core/text.h"
#include "sync/async_write.h"
#include "sync/imaging.h"
#include "sync/peer_answer.h"
#include "sync/reconcile.h"
#include "sync/reference_order.h"
#include "sync/replica.h"

namespace gateway::sync {
namespace {

using core::Json;
using core::net::Awaitable;
using crypto::Connection;

// How far back a version found at the server is looked for among our own.
constexpr int kVersionsCompared = 50;
// The hospital may change it again between our merge and our PUT; more than that waits for the next
// attempt.
constexpr int kPutsMax = 3;

struct Outgoing {
  ResourceKey key;
  StoredResource resource;
  std::optional<AgreedVersion> base;
  bool refers_to_unsent = false;
  bool base_is_deleted = false;
  std::optional<Json> proposed_against;  // the agreed version, where a person is asked first

  bool is_agreed() const { return base && base->version == resource.version; }
  bool is_deletion() const { return resource.body.is_null(); }
  /// The hospital had it once and, as far as is known, has it no more: no version guards it.
  bool is_revival() const { return base && if_match().empty(); }
  /// What If-Match names: a version that is there.
  std::string if_match() const {
    return base && !base_is_deleted ? base->remote_version : std::string();
  }
};

/// One row on its way; lives in push_resource().
struct Push {
  FhirEndpoint& endpoint;
  Holdings& holdings;
  const core::Clock& clock;
  const std::string& uplink;
  OutboxRow row;
};

RowOutcome ended(const OutboxRow& row, Delivery result, std::string reason) {
  RowOutcome outcome;
  outcome.number = row.number;
  outcome.result = result;
  outcome.reason = std::move(reason);
  return outcome;
}

RowOutcome delivered(const OutboxRow& row, const Outgoing& outgoing, std::string remote_version,
                     bool found_there) {
  RowOutcome outcome = ended(row, Delivery::delivered, "");
  outcome.remote_version = std::move(remote_version);
  outcome.local_version = outgoing.resource.version;
  outcome.found_there = found_there;
  return outcome;
}

RowOutcome not_served(const OutboxRow& row, const FhirAnswer& answer) {
  RowOutcome outcome = ended(row, Delivery::unreached, answer.not_serving);
  outcome.retry_after = answer.retry_after;
  return outcome;
}

/// Of something that went out: 401, 403, 407, 429 and 503 say that nothing was done with it; a
/// gateway's error or a page that hides the answer say nothing of the kind.
RowOutcome write_not_served(const OutboxRow& row, const FhirAnswer& answer) {
  constexpr std::array kNothingDone = {401, 403, 407, 429, 503};
  RowOutcome outcome = not_served(row, answer);
  if (std::ranges::find(kNothingDone, answer.status) == kNothingDone.end())
    outcome.result = Delivery::lost;
  return outcome;
}

core::Result<std::optional<Outgoing>> load_held(Connection& connection, const std::string& uplink,
                                                const ResourceKey& key) {
  GW_TRY(auto held, read_newest_version(connection, key));
  if (!held) return std::optional<Outgoing>();
  GW_TRY(auto base, read_base(connection, uplink, key));
  bool base_is_deleted = false;
  if (base) {
    GW_TRY(const auto agreed, read_version(connection, key, base->version));
    base_is_deleted = agreed && agreed->is_null();
  }
  std::optional<Json> proposed;
  if (base) {
    GW_TRY(proposed, proposed_against(connection, key, base->version, held->body));
  }
  GW_TRY(const auto first, row_to_wait_for(connection, uplink, key, held->body));
  return std::optional<Outgoing>(Outgoing{key, std::move(*held), std::move(base), first.has_value(),
                                          base_is_deleted, std::move(proposed)});
}

/// An ImagingStudy is made of the instances held, at the moment it is sent; every other resource is
/// what the replica holds.
core::Result<std::optional<Outgoing>> load_outgoing(Connection& connection,
                                                    const Holdings& holdings,
                                                    const core::Clock& clock,
                                                    const std::string& uplink,
                                                    const ResourceKey& key) {
  if (key.type == "ImagingStudy") {
    GW_TRY(const Json made,
           imaging_study_resource(connection, key.id, holdings.options().worklist.time_zone));
    // What the hospital added to it stays.
    GW_TRY(const auto known, read_resource(connection, key));
    Json body = known ? known->body : Json::object();
    for (const auto& [member, value] : made.members()) body.set(member, value);
    GW_CHECK(put_resource(connection, key, body, "clinic", core::to_instant(clock.wall())));
  }
  return load_held(connection, uplink, key);
}

/// Which of our own versions after the agreed one (0: none) the server's copy is, if any: an
/// earlier attempt whose answer was lost. One from before says that somebody there went back to it.
core::Result<std::optional<std::int64_t>> own_version_like(Connection& connection,
                                                           const ResourceKey& key,
                                                           std::int64_t agreed,
                                                           const Json& remote) {
  GW_TRY(auto rows, connection.query("SELECT version, body FROM resource_version WHERE type = ? "
                                     "AND id = ? AND origin = 'clinic' AND version > ?"
                                     " ORDER BY version DESC LIMIT ?",
                                     key.type, key.id, agreed, kVersionsCompared));
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return std::optional<std::int64_t>();
    GW_TRY(const Json body, Json::parse(rows.text(1)));
    if (same_content(body, remote)) return std::optional<std::int64_t>(rows.integer(0));
  }
}

/// The hospital changed it since we last agreed: both changes are merged, and `outgoing` becomes
/// what is to be sent now.
Awaitable<core::Status> merge_with(Push& push, Outgoing& outgoing, Json theirs,
                                   std::string theirs_version) {
  auto merged = std::make_shared<std::optional<Outgoing>>();
  crypto::Change change = [&push, merged, key = outgoing.key, theirs = std::move(theirs),
                           version =
                               std::move(theirs_version)](Connection& connection) -> core::Status {
    const Reconciling with{push.holdings.audit(), push.clock, push.uplink};
    GW_CHECK(reconcile(connection, with, key, theirs, version));
    GW_TRY(*merged, load_held(connection, push.uplink, key));
    return {};
  };
  GW_CO_CHECK(co_await write_async(push.holdings.database(), std::move(change)));
  if (*merged) outgoing = std::move(**merged);
  co_return core::Status();
}

/// The same, and the row's outcome where the merge leaves nothing to send.
Awaitable<std::optional<RowOutcome>> settle_with(Push& push, Outgoing& outgoing, Json theirs,
                                                 std::string theirs_version) {
  const core::Status merged =
      co_await merge_with(push, outgoing, std::move(theirs), std::move(theirs_version));
  if (!merged.ok()) co_return ended(push.row, Delivery::failed, merged.error().message());
  if (!outgoing.is_agreed()) co_return std::nullopt;
  co_return delivered(push.row, outgoing, outgoing.base->remote_version, true);
}

/// Reads the server's copy and finds out where it stands. Answers an outcome when that settles the
/// row; else `base` is what the next PUT must name.
Awaitable<std::optional<RowOutcome>> read_back(Push& push, Outgoing& outgoing) {
  const OutboxRow& row = push.row;
  auto answer = co_await push.endpoint.read(outgoing.key);
  if (!answer.ok()) co_return outcome_of_error(row.number, answer.error());
  if (!answer->not_serving.empty()) co_return not_served(row, *answer);
  const bool is_gone = answer->status == 404 || answer->status == 410;
  if (is_gone && outgoing.is_deletion()) co_return delivered(row, outgoing, "", true);
  if (answer->status == 404) {
    outgoing.base.reset();
    co_return std::nullopt;
  }
  if (answer->status == 410) {
    // It was deleted there before, and what is sent makes it anew.
    if (outgoing.base_is_deleted) co_return std::nullopt;
    co_return co_await settle_with(push, outgoing, Json(), answer->version);
  }
  if (answer->status != 200 || !answer->body.is_object()) {
    co_return ended(row, Delivery::failed,
                    core::cat("reading the resource back, the server answered ", answer->status));
  }
  if (same_content(outgoing.resource.body, answer->body))
    co_return delivered(row, outgoing, answer->version, true);
  if (outgoing.base && outgoing.base->remote_version == answer->version) co_return std::nullopt;

  auto own =
      push.holdings.database().read_value<std::optional<std::int64_t>>([&](Connection& connection) {
        return own_version_like(connection, outgoing.key,
                                outgoing.base ? outgoing.base->version : 0, answer->body);
      });
  if (!own.ok()) co_return ended(row, Delivery::failed, own.error().message());
  if (*own) {
    auto proposed =
        push.holdings.database().read_value<std::optional<Json>>([&](Connection& connection) {
          return proposed_against(connection, outgoing.key, **own, outgoing.resource.body);
        });
    if (!proposed.ok()) co_return ended(row, Delivery::failed, proposed.error().message());
    outgoing.base = AgreedVersion{answer->version, **own};
    outgoing.base_is_deleted = false;
    outgoing.proposed_against = std::move(*proposed);
    co_return std::nullopt;
  }
  co_return co_await settle_with(push, outgoing, std::move(answer->body), answer->version);
}

Awaitable<core::Result<FhirAnswer>> send(Push& push, Outgoing& outgoing) {
  if (outgoing.is_deletion())
    co_return co_await push.endpoint.remove(outgoing.key, outgoing.if_match());
  std::string body = outgoing.resource.body.dump();
  co_return co_await push.endpoint.update(outgoing.key, std::move(body), outgoing.if_match());
}

/// Leaves what the hospital keeps of it to a person, who is to see what the hospital has now.
/// Answers an outcome where nothing else is to be sent.
Awaitable<std::optional<RowOutcome>> propose(Push& push, Outgoing& outgoing) {
  if (auto settled = co_await read_back(push, outgoing)) co_return settled;
  if (!outgoing.proposed_against || !outgoing.base) co_return std::nullopt;
  Json agreed = std::move(*outgoing.proposed_against);
  co_return co_await settle_with(push, outgoing, std::move(agreed), outgoing.base->remote_version);
}

Awaitable<RowOutcome> put(Push& push, Outgoing& outgoing) {
  const OutboxRow& row = push.row;
  int status = 0;
  for (int attempt = 0; attempt < kPutsMax; ++attempt) {
    if (outgoing.proposed_against) {
      if (auto settled = co_await propose(push, outgoing)) co_return *settled;
    }
    auto answer = co_await send(push, outgoing);
    if (!answer.ok()) co_return outcome_of_error(row.number, answer.error());
    if (!answer->not_serving.empty()) co_return write_not_served(row, *answer);
    status = answer->status;
    if (outgoing.is_deletion() && (status / 100 == 2 || status == 404 || status == 410))
      co_return delivered(row, outgoing, answer->version, false);
    if (status == 200 || status == 201) {
      if (!answer->version.empty()) co_return delivered(row, outgoing, answer->version, false);
      // Without a version there is nothing to name in the next If-Match: ask for it.
      auto settled = co_await read_back(push, outgoing);
      // Not reached for the question, it has taken the resource all the same.
      if (settled && settled->result == Delivery::unreached) settled->result = Delivery::lost;
      co_return settled.value_or(
          ended(row, Delivery::failed, "the server took the resource but does not show it"));
    }
    if (status >= 500)
      co_return ended(row, Delivery::failed, core::cat("the server answered ", status));
    if (status != 409 && status != 412)
      co_return ended(row, Delivery::refused, outcome_text(*answer));
    auto settled = co_await read_back(push, outgoing);
    if (settled) co_return *settled;
  }
  co_return ended(row, Delivery::failed,
                  core::cat("the server answered ", status,
                            " each time; is it changed there all "
                            "the time?"));
}

}  // namespace

Awaitable<RowOutcome> push_resource(FhirEndpoint& endpoint, Holdings& holdings,
                                    const core::Clock& clock, const std::string& uplink,
                                    OutboxRow row) {
  const auto key = parse_reference(row.subject);
  if (!key)
    co_return ended(row, Delivery::refused, core::cat("\"", row.subject, "\" names no resource"));
  auto loaded = std::make_shared<std::optional<Outgoing>>();
  crypto::Change load = [loaded, &holdings, &clock, uplink,
                         key = *key](Connection& connection) -> core::Status {
    GW_TRY(*loaded, load_outgoing(connection, holdings, clock, uplink, key));
    return {};
  };
  const core::Status status = co_await write_async(holdings.database(), std::move(load));
  if (!status.ok()) co_return ended(row, Delivery::failed, status.error().message());
  if (!*loaded) co_return ended(row, Delivery::refused, "the resource is no longer held");
  Outgoing& outgoing = **loaded;

  if (outgoing.is_agreed())
    co_return delivered(row, outgoing, outgoing.base->remote_version, false);
  if (outgoing.refers_to_unsent) {
    co_return ended(row, Delivery::failed,
                    "it was changed to refer to a resource that has not been sent yet");
  }
  Push push{endpoint, holdings, clock, uplink, row};
  // What the server never had needs no deletion.
  if (outgoing.is_deletion() && !outgoing.base && !row.perhaps_sent)
    co_return delivered(row, outgoing, "", false);
  // Without If-Match, somebody else may have made it again meanwhile.
  if (row.perhaps_sent || outgoing.is_revival()) {
    if (auto settled = co_await read_back(push, outgoing)) co_return *settled;
  }
  co_return co_await put(push, outgoing);
}

}  // namespace gateway::sync
