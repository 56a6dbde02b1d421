#include "sync/fhir_push.h"

#include <optional>

#include "core/text.h"
#include "sync/async_write.h"
#include "sync/imaging.h"
#include "sync/peer_answer.h"
#include "sync/replica.h"

namespace gateway::sync {
namespace {

using core::Json;
using core::net::Awaitable;
using crypto::Connection;

// How far back a version found at the server is looked for among our own.
constexpr int kVersionsCompared = 50;

struct Outgoing {
  ResourceKey key;
  StoredResource resource;
  std::optional<AgreedVersion> base;
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

/// An ImagingStudy is made of the instances held, at the moment it is sent; every other resource is
/// what the replica holds.
core::Result<std::optional<Outgoing>> load_outgoing(Connection& connection,
                                                    const Holdings& holdings,
                                                    const core::Clock& clock,
                                                    const std::string& uplink,
                                                    const ResourceKey& key) {
  if (key.type == "ImagingStudy") {
    GW_TRY(const Json body,
           imaging_study_resource(connection, key.id, holdings.options().worklist.time_zone));
    GW_CHECK(put_resource(connection, key, body, "clinic", core::to_instant(clock.wall())));
  }
  GW_TRY(auto held, read_resource(connection, key));
  if (!held) return std::optional<Outgoing>();
  GW_TRY(auto base, read_base(connection, uplink, key));
  return std::optional<Outgoing>(Outgoing{key, std::move(*held), std::move(base)});
}

/// Which of our own versions the server's copy is, if any: an earlier attempt whose answer was
/// lost.
core::Result<std::optional<std::int64_t>> own_version_like(Connection& connection,
                                                           const ResourceKey& key,
                                                           const Json& remote) {
  GW_TRY(auto rows, connection.query("SELECT version, body FROM resource_version WHERE type = ? "
                                     "AND id = ? AND origin = 'clinic'"
                                     " ORDER BY version DESC LIMIT ?",
                                     key.type, key.id, kVersionsCompared));
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return std::optional<std::int64_t>();
    GW_TRY(const Json body, Json::parse(rows.text(1)));
    if (same_content(body, remote)) return std::optional<std::int64_t>(rows.integer(0));
  }
}

/// Reads the server's copy and finds out where it stands. Answers an outcome when that settles the
/// row; else `base` is what the next PUT must name.
Awaitable<std::optional<RowOutcome>> read_back(FhirEndpoint& endpoint, Holdings& holdings,
                                               const OutboxRow& row, Outgoing& outgoing) {
  auto answer = co_await endpoint.read(outgoing.key);
  if (!answer.ok()) co_return outcome_of_error(row.number, answer.error());
  if (!answer->not_serving.empty()) co_return not_served(row, *answer);
  if (answer->status == 404) {
    outgoing.base.reset();
    co_return std::nullopt;
  }
  if (answer->status == 410) {
    co_return ended(
        row, Delivery::refused,
        "the hospital deleted this resource; a person decides whether it is sent again");
  }
  if (answer->status != 200 || !answer->body.is_object()) {
    co_return ended(row, Delivery::failed,
                    core::cat("reading the resource back, the server answered ", answer->status));
  }
  if (same_content(outgoing.resource.body, answer->body))
    co_return delivered(row, outgoing, answer->version, true);
  if (outgoing.base && outgoing.base->remote_version == answer->version) co_return std::nullopt;

  auto own =
      holdings.database().read_value<std::optional<std::int64_t>>([&](Connection& connection) {
        return own_version_like(connection, outgoing.key, answer->body);
      });
  if (!own.ok()) co_return ended(row, Delivery::failed, own.error().message());
  if (!*own) {
    co_return ended(row, Delivery::refused,
                    "the hospital changed this resource since we last agreed on it; both versions "
                    "are kept and a person decides");
  }
  outgoing.base = AgreedVersion{answer->version, **own};
  co_return std::nullopt;
}

Awaitable<RowOutcome> put(FhirEndpoint& endpoint, Holdings& holdings, const OutboxRow& row,
                          Outgoing& outgoing) {
  const std::string if_match = outgoing.base ? outgoing.base->remote_version : std::string();
  std::string body = outgoing.resource.body.dump();
  auto answer = co_await endpoint.update(outgoing.key, std::move(body), if_match);
  if (!answer.ok()) co_return outcome_of_error(row.number, answer.error());
  if (!answer->not_serving.empty()) co_return not_served(row, *answer);
  const int status = answer->status;
  if (status == 200 || status == 201) {
    if (!answer->version.empty()) co_return delivered(row, outgoing, answer->version, false);
    // Without a version there is nothing to name in the next If-Match: ask for it.
    auto settled = co_await read_back(endpoint, holdings, row, outgoing);
    co_return settled.value_or(
        ended(row, Delivery::failed, "the server took the resource but does not show it"));
  }
  if (status == 409 || status == 412) {
    auto settled = co_await read_back(endpoint, holdings, row, outgoing);
    if (settled) co_return *settled;
    co_return ended(
        row, Delivery::failed,
        core::cat("the server answered ", status, " although nobody changed the resource"));
  }
  if (status >= 500)
    co_return ended(row, Delivery::failed, core::cat("the server answered ", status));
  co_return ended(row, Delivery::refused, outcome_text(*answer));
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

  if (outgoing.base && outgoing.base->version == outgoing.resource.version) {
    co_return delivered(row, outgoing, outgoing.base->remote_version, false);
  }
  if (row.perhaps_sent) {
    if (auto settled = co_await read_back(endpoint, holdings, row, outgoing)) co_return *settled;
  }
  co_return co_await put(endpoint, holdings, row, outgoing);
}

}  // namespace gateway::sync
