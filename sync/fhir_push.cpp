#include "sync/fhir_push.h"

#include <algorithm>
#include <array>

#include "core/text.h"
#include "sync/async_write.h"
#include "sync/fhir/same_content.h"
#include "sync/peer_answer.h"
#include "sync/pull_state.h"
#include "sync/reconcile.h"

namespace gateway::sync {
namespace {

using core::Json;
using core::net::Awaitable;
using crypto::Connection;

// The hospital may change it again between our merge and our PUT; more than that waits for the next
// attempt.
constexpr int kPutsMax = 3;

RowOutcome delivered(const Push& push, std::string remote_version, bool found_there) {
  RowOutcome outcome = ended(push.row, Delivery::delivered, "");
  outcome.remote_version = std::move(remote_version);
  outcome.local_version = push.outgoing.resource.version;
  outcome.found_there = found_there;
  return outcome;
}

RowOutcome not_served(const OutboxRow& row, const FhirAnswer& answer) {
  RowOutcome outcome = ended(row, Delivery::unreached, answer.not_serving);
  outcome.retry_after = answer.retry_after;
  return outcome;
}

/// Of something that went out: a redirect, 401, 403, 404, 405, 407, 429 and 503 say that nothing
/// was done with it; a gateway's error or a page that hides the answer say nothing of the kind.
RowOutcome write_not_served(const OutboxRow& row, const FhirAnswer& answer) {
  constexpr std::array kNothingDone = {401, 403, 404, 405, 407, 429, 503};
  RowOutcome outcome = not_served(row, answer);
  if (answer.status / 100 != 3 &&
      std::ranges::find(kNothingDone, answer.status) == kNothingDone.end())
    outcome.result = Delivery::lost;
  return outcome;
}

/// The hospital changed it since we last agreed: both changes are merged, and `outgoing` becomes
/// what is to be sent now.
Awaitable<core::Status> merge_with(Push& push, Json theirs, std::string theirs_version) {
  auto merged = std::make_shared<std::optional<Outgoing>>();
  crypto::Change change = [&push, merged, key = push.outgoing.key, theirs = std::move(theirs),
                           version =
                               std::move(theirs_version)](Connection& connection) -> core::Status {
    const Reconciling with{push.with.holdings.audit(), push.with.clock, push.with.uplink,
                           push.with.policy};
    GW_CHECK(reconcile(connection, with, key, theirs, version));
    GW_CHECK(refresh_after(connection, key, push.with.holdings.options().worklist));
    GW_TRY(*merged, load_held(connection, push.with.uplink, key));
    return {};
  };
  GW_CO_CHECK(co_await write_async(push.with.holdings.database(), std::move(change)));
  if (*merged) push.outgoing = std::move(**merged);
  co_return core::Status();
}

/// The same, and the row's outcome where the merge leaves nothing to send.
Awaitable<std::optional<RowOutcome>> settle_with(Push& push, Json theirs,
                                                 std::string theirs_version) {
  const core::Status merged =
      co_await merge_with(push, std::move(theirs), std::move(theirs_version));
  if (!merged.ok()) co_return ended(push.row, Delivery::failed, merged.error().message());
  if (!push.outgoing.is_agreed()) co_return std::nullopt;
  co_return delivered(push, push.outgoing.base->remote_version, true);
}

/// What became of an earlier attempt whose answer was lost, if `found` at the server is that.
core::Status adopt_own_version(Push& push, const FhirAnswer& found, bool& is_ours) {
  Outgoing& outgoing = push.outgoing;
  return push.with.holdings.database().read([&](Connection& connection) -> core::Status {
    const std::int64_t agreed = outgoing.base ? outgoing.base->version : 0;
    GW_TRY(const auto own, own_version_like(connection, outgoing.key, agreed, found.body));
    is_ours = own.has_value();
    if (!own) return {};
    outgoing.base = AgreedVersion{found.version, *own};
    outgoing.base_is_deleted = false;
    GW_TRY(outgoing.proposed_against, proposed_against(connection, push.with.uplink, outgoing.key,
                                                       *own, outgoing.resource.body));
    return {};
  });
}

Awaitable<std::optional<RowOutcome>> read_back(Push& push) {
  auto answer = co_await read_there(push);
  if (auto settled = co_await locate(push, answer)) co_return settled;
  co_return co_await settle_read(push, std::move(*answer));
}

Awaitable<core::Result<FhirAnswer>> create(Push& push) {
  const ResourceKey& key = push.outgoing.key;
  std::string body = push.outgoing.text(false);
  auto answer =
      co_await push.with.endpoint.create(key.type, std::move(body), mark_query(push.outgoing.key));
  if (!answer.ok() || !answer->not_serving.empty()) co_return answer;
  std::vector<Created> created{{&push, &*answer}};
  const core::Status noted = co_await note_created(push.with, std::move(created));
  if (!noted.ok()) co_return core::Error(core::Code::lost_answer, noted.error().message());
  co_return answer;
}

/// Of a new resource, under an id of ours (R4 3.1.0.4.1).
bool is_refused_id(const core::Result<FhirAnswer>& answer) {
  constexpr std::array kRefused = {400, 404, 405};
  return answer.ok() && answer->not_serving.empty() &&
         std::ranges::find(kRefused, answer->status) != kRefused.end();
}

Awaitable<core::Result<FhirAnswer>> send(Push& push) {
  const Outgoing& outgoing = push.outgoing;
  if (outgoing.is_deletion())
    co_return co_await push.with.endpoint.remove(outgoing.server_key(), outgoing.if_match());
  if (goes_by_mark(push)) co_return co_await create(push);
  std::string body = outgoing.text(true);
  auto answer = co_await push.with.endpoint.update(outgoing.server_key(), std::move(body),
                                                   outgoing.if_match());
  const bool is_untold = push.with.makes_under_our_id == Known::unknown;
  if (is_untold && outgoing.is_new() && is_refused_id(answer)) co_return co_await create(push);
  co_return answer;
}

/// The answer to a search by the mark as that to a read: 404 where nothing was found. Code::refused
/// where several were, Code::unavailable where it was not answered.
core::Status take_match(FhirAnswer& answer, const ResourceKey& ours) {
  if (answer.status != 200 || answer.body["resourceType"].text() != "Bundle") {
    return core::Error(core::Code::unavailable, core::cat("looking for the resource, the server "
                                                          "answered ",
                                                          answer.status, " and no Bundle"));
  }
  Json found;
  for (const Json& entry : answer.body["entry"].items()) {
    // A server may pass over what it does not know how to search by.
    if (!carries_mark(entry["resource"], ours)) continue;
    if (found.is_object()) {
      return core::Error(
          core::Code::refused,
          core::cat("the server holds several ", ours.type, " with the identifier ", kMarkSystem,
                    "|", ours.id, "; have its operator leave one, then try again"));
    }
    found = entry["resource"];
  }
  if (found.is_null()) answer.status = 404;
  answer.version = found["meta"]["versionId"].text();
  answer.body = std::move(found);
  return {};
}

Awaitable<core::Status> keep_server_id(Push& push, std::string id) {
  crypto::Change change = [&push, id](Connection& c) {
    return put_server_id(c, push.with.uplink, push.outgoing.key, id);
  };
  GW_CO_CHECK(co_await write_async(push.with.holdings.database(), std::move(change)));
  push.outgoing.server_id = std::move(id);
  co_return core::Status();
}

Awaitable<core::Status> note_match(Push& push, FhirAnswer& answer) {
  GW_CO_CHECK(take_match(answer, push.outgoing.key));
  if (answer.status != 200) co_return core::Status();
  std::string id(answer.body["id"].text());
  co_return co_await keep_server_id(push, std::move(id));
}

/// While nobody knew whose ids the server takes, an attempt that had no answer may have made it the
/// other way: by its mark, or under our id. 404: it did not.
Awaitable<core::Result<FhirAnswer>> read_otherwise(Push& push) {
  const ResourceKey& key = push.outgoing.key;
  if (goes_by_mark(push)) {
    auto answer = co_await push.with.endpoint.read(ResourceKey(key));
    const bool is_it = answer.ok() && answer->body["resourceType"].text() == key.type &&
                       answer->body["id"].text() == key.id;
    if (answer.ok() && answer->status == 200 && !is_it) answer->status = 404;
    if (answer.ok() && answer->status == 200) {
      std::string id = key.id;
      GW_CO_CHECK(co_await keep_server_id(push, std::move(id)));
    }
    co_return answer;
  }
  std::string target = core::cat("/", key.type, "?", mark_query(key));
  auto answer = co_await push.with.endpoint.page(std::move(target));
  if (!answer.ok() || !answer->not_serving.empty()) co_return answer;
  if (answer->status != 200) {
    if (answer->status / 100 == 4)
      answer->status = 404;  // what cannot be searched by an identifier was not made by one
    co_return answer;
  }
  GW_CO_CHECK(co_await note_match(push, *answer));
  co_return answer;
}

/// Leaves what the hospital keeps of it to a person, who is to see what the hospital has now.
/// Answers an outcome where nothing else is to be sent.
Awaitable<std::optional<RowOutcome>> propose(Push& push) {
  Outgoing& outgoing = push.outgoing;
  if (auto settled = co_await read_back(push)) co_return settled;
  if (!outgoing.proposed_against || !outgoing.base) co_return std::nullopt;
  Json agreed = std::move(*outgoing.proposed_against);
  co_return co_await settle_with(push, std::move(agreed), outgoing.base->remote_version);
}

}  // namespace

std::optional<RowOutcome> settled_already(const Push& push) {
  const Outgoing& outgoing = push.outgoing;
  if (outgoing.is_agreed()) return delivered(push, outgoing.base->remote_version, false);
  if (outgoing.refers_to_unsent) {
    return ended(push.row, Delivery::failed,
                 "it was changed to refer to a resource that has not been sent yet");
  }
  // What the server never had needs no deletion.
  if (outgoing.is_deletion() && !outgoing.base && !push.row.perhaps_sent)
    return delivered(push, "", false);
  return std::nullopt;
}

bool is_read_first(const Push& push) {
  // Without If-Match, somebody else may have made it again meanwhile; and there are servers (HAPI)
  // that heed it for a PUT and not for a DELETE.
  const bool is_heeded = !push.outgoing.is_deletion() && push.with.heeds_if_match != Known::no;
  const bool may_pass_unguarded = push.outgoing.base && !is_heeded;
  return push.row.perhaps_sent || push.outgoing.is_revival() || may_pass_unguarded;
}

bool goes_by_mark(const Push& push) {
  return push.outgoing.is_new() && push.with.makes_under_our_id == Known::no;
}

std::string place_there(const Push& push) {
  const ResourceKey& key = push.outgoing.key;
  if (goes_by_mark(push)) return core::cat(key.type, "?", mark_query(key));
  return push.outgoing.server_key().text();
}

Awaitable<core::Result<FhirAnswer>> read_there(const Push& push) {
  if (goes_by_mark(push)) co_return co_await push.with.endpoint.page("/" + place_there(push));
  co_return co_await push.with.endpoint.read(push.outgoing.server_key());
}

Awaitable<core::Status> note_created(const Pushing& with, std::vector<Created> created) {
  const auto told = std::make_shared<std::vector<std::pair<ResourceKey, std::string>>>();
  for (const Created& one : created) {
    FhirAnswer& answer = *one.answer;
    if (answer.status == 200 || answer.id.empty()) answer.version.clear();
    if (answer.status / 100 == 2 && !answer.id.empty())
      told->emplace_back(one.push->outgoing.key, answer.id);
  }
  if (told->empty()) co_return core::Status();
  crypto::Change change = [&with, told](Connection& connection) -> core::Status {
    for (const auto& [key, id] : *told) GW_CHECK(put_server_id(connection, with.uplink, key, id));
    return {};
  };
  GW_CO_CHECK(co_await write_async(with.holdings.database(), std::move(change)));
  for (const Created& one : created)
    if (one.answer->status / 100 == 2) one.push->outgoing.server_id = one.answer->id;
  co_return core::Status();
}

Awaitable<std::optional<RowOutcome>> locate(Push& push, core::Result<FhirAnswer>& answer) {
  const OutboxRow& row = push.row;
  if (!answer.ok()) co_return outcome_of_error(row.number, answer.error());
  if (!answer->not_serving.empty()) co_return not_served(row, *answer);
  if (goes_by_mark(push)) {
    const core::Status noted = co_await note_match(push, *answer);
    const bool is_ambiguous = !noted.ok() && noted.error().code() == core::Code::refused;
    if (!noted.ok())
      co_return ended(row, is_ambiguous ? Delivery::refused : Delivery::failed,
                      noted.error().message());
  }
  const bool is_told = push.with.makes_under_our_id == Known::yes;
  if (answer->status != 404 || !row.perhaps_sent || !push.outgoing.is_new() || is_told)
    co_return std::nullopt;
  auto otherwise = co_await read_otherwise(push);
  if (!otherwise.ok()) co_return outcome_of_error(row.number, otherwise.error());
  if (!otherwise->not_serving.empty()) co_return not_served(row, *otherwise);
  if (otherwise->status != 404 && otherwise->status != 410) answer = std::move(otherwise);
  co_return std::nullopt;
}

Awaitable<std::optional<RowOutcome>> settle_read(Push& push, FhirAnswer answer) {
  Outgoing& outgoing = push.outgoing;
  const OutboxRow& row = push.row;
  const core::Status ours = push.with.holdings.database().read(
      [&](Connection& c) { return to_our_ids(c, push.with.uplink, answer.body); });
  if (!ours.ok()) co_return ended(row, Delivery::failed, ours.error().message());
  const bool is_gone = answer.status == 404 || answer.status == 410;
  if (is_gone && outgoing.is_deletion()) co_return delivered(push, "", true);
  if (answer.status == 404) {
    // Had it been agreed upon, somebody there has deleted it, and what was changed here is to be
    // asked about. A server that forgets deletions says no more than this.
    if (outgoing.base && !outgoing.base_is_deleted) {
      if (auto settled = co_await settle_with(push, Json(), "")) co_return settled;
    }
    outgoing.base.reset();
    // Never to be had again: it gets another id.
    if (push.with.makes_under_our_id == Known::no) outgoing.server_id.clear();
    co_return std::nullopt;
  }
  if (answer.status == 410) {
    // It was deleted there before, and what is sent makes it anew.
    if (outgoing.base_is_deleted) co_return std::nullopt;
    co_return co_await settle_with(push, Json(), answer.version);
  }
  if (answer.status != 200 || !answer.body.is_object()) {
    RowOutcome outcome =
        ended(row, Delivery::failed,
              core::cat("reading the resource back, the server answered ", answer.status));
    outcome.peers_words = core::cat("reading the resource back, ", outcome_text(answer));
    co_return outcome;
  }
  if (same_content(outgoing.resource.body, answer.body))
    co_return delivered(push, answer.version, true);
  if (outgoing.base && outgoing.base->remote_version == answer.version) co_return std::nullopt;

  bool is_ours = false;
  const core::Status adopted = adopt_own_version(push, answer, is_ours);
  if (!adopted.ok()) co_return ended(row, Delivery::failed, adopted.error().message());
  if (is_ours) co_return std::nullopt;
  co_return co_await settle_with(push, std::move(answer.body), answer.version);
}

std::optional<RowOutcome> settle_write(const Push& push, const core::Result<FhirAnswer>& answer) {
  const OutboxRow& row = push.row;
  if (!answer.ok()) return outcome_of_error(row.number, answer.error());
  if (!answer->not_serving.empty()) return write_not_served(row, *answer);
  const int status = answer->status;
  if (push.outgoing.is_deletion() && (status / 100 == 2 || status == 404 || status == 410))
    return delivered(push, answer->version, false);
  if (status / 100 == 2) {
    // Without a version there is nothing to name in the next If-Match: it is asked for.
    if (answer->version.empty()) return std::nullopt;
    return delivered(push, answer->version, false);
  }
  // What is forbidden may be allowed when somebody there has put the scope of this client right.
  if (status >= 500 || status == 403) {
    RowOutcome outcome = ended(row, Delivery::failed, core::cat("the server answered ", status));
    outcome.peers_words = outcome_text(*answer);
    return outcome;
  }
  if (status == 409 || status == 412) return std::nullopt;
  // What was agreed upon is there no more: what became of it is read, as after a refused version.
  const bool was_there = push.outgoing.base && !push.outgoing.base_is_deleted;
  if (was_there && (status == 404 || status == 410)) return std::nullopt;
  return ended(row, Delivery::refused, outcome_text(*answer));
}

std::optional<RowOutcome> after_sending(std::optional<RowOutcome> settled) {
  if (settled && settled->result == Delivery::unreached) settled->result = Delivery::lost;
  return settled;
}

Awaitable<RowOutcome> push_by_itself(Push& push) {
  RowOutcome refused;
  for (int attempt = 0; attempt < kPutsMax; ++attempt) {
    if (push.outgoing.proposed_against) {
      if (auto settled = co_await propose(push)) co_return *settled;
    }
    const auto answer = co_await send(push);
    if (auto settled = settle_write(push, answer)) co_return *settled;
    refused = ended(push.row, Delivery::failed,
                    core::cat("the server answered ", answer->status,
                              " each time; is it changed there all the time?"));
    refused.peers_words = core::cat(outcome_text(*answer), ", each time");
    if (auto settled = after_sending(co_await read_back(push))) co_return *settled;
  }
  co_return refused;
}

}  // namespace gateway::sync
