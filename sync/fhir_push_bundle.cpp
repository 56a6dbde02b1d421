#include "sync/fhir_push_bundle.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "core/text.h"
#include "sync/async_write.h"
#include "sync/stable_id.h"

namespace gateway::sync {
namespace {

using core::net::Awaitable;
using crypto::Connection;

// Small enough that little is sent again when the link is cut, large enough that a round trip of
// 300 ms hardly counts.
constexpr std::size_t kBytesMax = 512u << 10;
// Somebody there may make one of a circle meanwhile; more than that waits for the next attempt.
constexpr int kTransactionsMax = 3;

using Group = std::vector<Push*>;

/// The rows of one delivery; lives in push_rows().
struct Pile {
  const Pushing& with;
  Bundling& bundling;
  std::vector<OutboxRow> rows;
  std::vector<Push> pushes = {};
  std::vector<RowOutcome> outcomes = {};
  std::set<std::int64_t> broken_circles = {};
};

core::Status load(Connection& connection, Pile& pile) {
  const Pushing& with = pile.with;
  for (const OutboxRow& row : pile.rows) {
    const auto key = parse_reference(row.subject);
    if (!key) {
      pile.outcomes.push_back(
          ended(row, Delivery::refused, core::cat("\"", row.subject, "\" names no resource")));
      continue;
    }
    GW_TRY(auto outgoing, load_outgoing(connection, with.holdings, with.clock, with.uplink, *key));
    if (outgoing) {
      pile.pushes.push_back({with, row, std::move(*outgoing)});
    } else {
      pile.outcomes.push_back(ended(row, Delivery::refused, "the resource is no longer held"));
    }
  }
  return {};
}

/// The answer to the whole request, as that to each of its entries.
FhirAnswer for_each_entry(const FhirAnswer& answer) {
  FhirAnswer one;
  one.status = answer.status;
  one.body = answer.body;
  one.not_serving = answer.not_serving;
  one.retry_after = answer.retry_after;
  return one;
}

/// One answer per push; empty: they have to be asked one by one.
Awaitable<core::Result<std::vector<FhirAnswer>>> read_together(Pile& pile, const Group& group) {
  if (group.size() < 2 || pile.bundling.kind != BundleKind::batch)
    co_return std::vector<FhirAnswer>();
  BundleWriter bundle(BundleKind::batch);
  for (const Push* push : group) bundle.read(place_there(*push));
  GW_CO_TRY(const FhirAnswer answer,
            co_await pile.with.endpoint.post_bundle(std::move(bundle).finish()));
  if (!answer.not_serving.empty() || answer.status >= 500 || is_forbidden(answer))
    co_return std::vector<FhirAnswer>(group.size(), for_each_entry(answer));
  auto told = answers_of(answer, group.size());
  if (told.ok()) co_return std::move(*told);
  co_return std::vector<FhirAnswer>();
}

void end_each(Pile& pile, const Group& group, Delivery result, const std::string& reason) {
  for (const Push* push : group) pile.outcomes.push_back(ended(push->row, result, reason));
}

/// By which ids the server knows what they refer to, some of which it may have told a moment ago.
Group with_names_there(Pile& pile, Group group) {
  if (group.empty()) return group;
  const core::Status named = pile.with.holdings.database().read([&](Connection& c) -> core::Status {
    for (Push* push : group) {
      Outgoing& outgoing = push->outgoing;
      GW_TRY(outgoing.names, names_there(c, pile.with.uplink, outgoing.resource.body));
    }
    return {};
  });
  if (named.ok()) return group;
  end_each(pile, group, Delivery::failed, named.error().message());
  return {};
}

/// Reads the server's copies; answers those that are not settled by it. What refers to each other
/// can only be compared when it is known under which id the server has each.
Awaitable<Group> read_group(Pile& pile, Group group, bool after_write) {
  auto answers = co_await read_together(pile, group);
  const auto note = [&](RowOutcome outcome) {
    pile.outcomes.push_back(after_write ? *after_sending(std::move(outcome)) : std::move(outcome));
  };
  std::vector<std::pair<Push*, FhirAnswer>> located;
  for (std::size_t i = 0; i < group.size(); ++i) {
    core::Result<FhirAnswer> answer = FhirAnswer{};
    if (!answers.ok()) {
      answer = answers.error();
    } else if (answers->empty()) {
      answer = co_await read_there(*group[i]);
    } else {
      answer = std::move((*answers)[i]);
    }
    if (auto settled = co_await locate(*group[i], answer)) {
      note(std::move(*settled));
    } else {
      located.emplace_back(group[i], std::move(*answer));
    }
  }
  Group left;
  for (auto& [push, answer] : located) {
    if (auto settled = co_await settle_read(*push, std::move(answer))) {
      note(std::move(*settled));
    } else {
      left.push_back(push);
    }
  }
  co_return with_names_there(pile, std::move(left));
}

Awaitable<void> send_each(Pile& pile, Group group) {
  for (Push* push : group) pile.outcomes.push_back(co_await push_by_itself(*push));
}

std::string written(BundleKind kind, const Group& group) {
  BundleWriter bundle(kind);
  for (const Push* push : group) {
    const Outgoing& outgoing = push->outgoing;
    if (outgoing.is_deletion()) {
      bundle.remove(outgoing.server_key(), outgoing.if_match());
    } else if (goes_by_mark(*push)) {
      bundle.create(outgoing.key.type, outgoing.text(false), mark_query(outgoing.key));
    } else {
      bundle.update(outgoing.server_key(), outgoing.text(true), outgoing.if_match());
    }
  }
  return std::move(bundle).finish();
}

/// A transaction of resources that are new there and refer to each other. Where the server gives
/// the ids, they name each other by a placeholder (R4 3.1.0.11.2).
std::string circle_text(const Group& group) {
  const auto placeholder = [](const Push& push) {
    return core::cat("urn:uuid:", stable_id(push.outgoing.key.text()));
  };
  ServerNames placeholders;
  for (const Push* push : group)
    if (goes_by_mark(*push))
      placeholders.emplace_back(push->outgoing.key.text(), placeholder(*push));
  BundleWriter bundle(BundleKind::transaction);
  for (const Push* push : group) {
    Outgoing outgoing = push->outgoing;
    outgoing.names.insert(outgoing.names.end(), placeholders.begin(), placeholders.end());
    if (goes_by_mark(*push)) {
      bundle.create(outgoing.key.type, outgoing.text(false), mark_query(outgoing.key),
                    placeholder(*push));
    } else {
      bundle.update(outgoing.server_key(), outgoing.text(true), outgoing.if_match());
    }
  }
  return std::move(bundle).finish();
}

/// Whether the request as a whole came to nothing, in a way that does not tell which entry is at
/// fault: too large, too many, one of them unreadable, or a transaction with one that conflicts or
/// is forbidden. A batch is forbidden for what it is, whatever is in it.
bool is_refused_whole(const core::Result<FhirAnswer>& answer, BundleKind kind) {
  if (!answer.ok() || !answer->not_serving.empty()) return false;
  return answer->status / 100 == 4 && (kind == BundleKind::transaction || !is_forbidden(*answer));
}

/// Notes what the server calls what it has made; what cannot be noted is lost, and read back.
Awaitable<core::Status> note_answers(Pile& pile, const Group& group,
                                     std::vector<FhirAnswer>& answers) {
  std::vector<Created> created;
  for (std::size_t i = 0; i < answers.size(); ++i)
    if (goes_by_mark(*group[i])) created.push_back({group[i], &answers[i]});
  co_return co_await note_created(pile.with, std::move(created));
}

/// What the answer to a Bundle means for each of its entries; answers those that have to be read.
Awaitable<Group> settle_bundle(Pile& pile, const Group& group, core::Result<FhirAnswer> answer) {
  std::vector<FhirAnswer> answers;
  if (answer.ok() && answer->status == 200 && answer->not_serving.empty()) {
    auto told = answers_of(*answer, group.size());
    if (told.ok()) {
      answers = std::move(*told);
    } else {
      // Whatever it made of the entries is read back.
      pile.bundling.kind.reset();
      answer = core::Error(core::Code::lost_answer, told.error().message());
    }
  }
  if (!answers.empty() && group.size() >= pile.bundling.entries_max)
    pile.bundling.entries_max = std::min(2 * pile.bundling.entries_max, Bundling::kEntriesMax);
  const core::Status noted = co_await note_answers(pile, group, answers);
  if (!noted.ok()) {
    answers.clear();
    answer = core::Error(core::Code::lost_answer, noted.error().message());
  }
  Group unsettled;
  for (std::size_t i = 0; i < group.size(); ++i) {
    core::Result<FhirAnswer> one = FhirAnswer{};
    if (!answers.empty()) {
      one = std::move(answers[i]);
    } else if (answer.ok()) {
      one = for_each_entry(*answer);
    } else {
      one = answer.error();
    }
    if (auto settled = settle_write(*group[i], one)) {
      pile.outcomes.push_back(std::move(*settled));
    } else {
      unsettled.push_back(group[i]);
    }
  }
  co_return unsettled;
}

Awaitable<void> send_group(Pile& pile, Group group) {
  if (group.size() < 2 || !pile.bundling.kind) co_return co_await send_each(pile, std::move(group));
  const BundleKind kind = *pile.bundling.kind;
  auto answer = co_await pile.with.endpoint.post_bundle(written(kind, group));
  if (is_refused_whole(answer, kind)) {
    pile.bundling.entries_max = std::max<std::size_t>(1, group.size() / 2);
    const auto middle = group.begin() + static_cast<std::ptrdiff_t>(group.size() / 2);
    co_await send_group(pile, Group(group.begin(), middle));
    co_return co_await send_group(pile, Group(middle, group.end()));
  }
  Group unsettled = co_await settle_bundle(pile, group, std::move(answer));
  if (unsettled.empty()) co_return;
  Group left = co_await read_group(pile, std::move(unsettled), true);
  co_await send_each(pile, std::move(left));
}

/// Which circles have a member that has ended without getting there.
void note_broken_circles(Pile& pile) {
  std::map<std::int64_t, std::int64_t> circle_of;
  for (const OutboxRow& row : pile.rows) circle_of[row.number] = row.circle;
  for (const RowOutcome& outcome : pile.outcomes) {
    const std::int64_t circle = circle_of[outcome.number];
    if (circle != 0 && outcome.result != Delivery::delivered) pile.broken_circles.insert(circle);
  }
}

/// Ends those whose circle it is.
bool ends_with_its_circle(Pile& pile, const Group& members) {
  if (members.empty() || !pile.broken_circles.contains(members.front()->row.circle)) return false;
  end_each(pile, members, Delivery::failed,
           "another, to which it refers in a circle, could not be sent with it");
  return true;
}

/// Those that refer to each other in a circle, none of which the server has: all or none.
Awaitable<void> send_circle(Pile& pile, Group group) {
  if (!pile.bundling.takes_transaction) {
    end_each(pile, group, Delivery::refused,
             "it refers to others in a circle, which could only go together, and this server takes "
             "no transaction; take one of the references out, then try again");
    co_return;
  }
  int status = 0;
  for (int attempt = 0; attempt < kTransactionsMax && group.size() > 1; ++attempt) {
    auto answer = co_await pile.with.endpoint.post_bundle(circle_text(group));
    status = answer.ok() ? answer->status : 0;
    const bool conflicts = status == 409 || status == 412;
    const bool is_refused = is_refused_whole(answer, BundleKind::transaction);
    if (is_refused && !conflicts && !is_forbidden(*answer)) {
      end_each(pile, group, Delivery::refused, outcome_text(*answer));
      co_return;
    }
    if (!conflicts) group = co_await settle_bundle(pile, group, std::move(answer));
    group = co_await read_group(pile, std::move(group), true);
    // One whose copy there could not be read may be there or not.
    note_broken_circles(pile);
    if (ends_with_its_circle(pile, group)) co_return;
  }
  // What is left of it by itself refers to what has got there by now.
  if (group.size() == 1) co_return co_await send_each(pile, std::move(group));
  end_each(pile, group, Delivery::failed,
           core::cat("the server answered their transaction with ", status, " each time"));
}

/// Sends the circles among them, where the others of each have got there or are here too; answers
/// the rest.
Awaitable<Group> send_circles(Pile& pile, Group group) {
  Group rest;
  std::map<std::int64_t, Group> circles;
  for (Push* push : group) {
    if (push->row.circle == 0) {
      rest.push_back(push);
    } else {
      circles[push->row.circle].push_back(push);
    }
  }
  for (auto& [number, members] : circles) {
    if (ends_with_its_circle(pile, members)) continue;
    if (members.size() < 2) {
      rest.push_back(members.front());
    } else {
      co_await send_circle(pile, std::move(members));
    }
  }
  co_return rest;
}

/// One that failed before, by itself or in company, goes by itself: it may be what the others
/// failed for. What a person is asked about first needs reads of its own.
bool goes_alone(const Push& push) {
  return push.row.attempts > 0 || push.outgoing.proposed_against;
}

Awaitable<void> send_all(Pile& pile, Group group) {
  Group alone;
  Group together;
  std::size_t bytes = 0;
  for (Push* push : group) {
    if (goes_alone(*push)) {
      alone.push_back(push);
      continue;
    }
    const std::size_t size = push->outgoing.resource.body.dump().size();
    if (!together.empty() &&
        (bytes + size > kBytesMax || together.size() >= pile.bundling.entries_max)) {
      co_await send_group(pile, std::exchange(together, {}));
      bytes = 0;
    }
    together.push_back(push);
    bytes += size;
  }
  co_await send_group(pile, std::move(together));
  co_await send_each(pile, std::move(alone));
}

}  // namespace

Awaitable<std::vector<RowOutcome>> push_rows(const Pushing& with, Bundling& bundling,
                                             std::vector<OutboxRow> rows) {
  auto pile = std::make_shared<Pile>(Pile{with, bundling, std::move(rows)});
  crypto::Change change = [pile](Connection& connection) {
    pile->pushes.clear();
    pile->outcomes.clear();
    return load(connection, *pile);
  };
  const core::Status loaded = co_await write_async(with.holdings.database(), std::move(change));
  if (!loaded.ok()) {
    pile->outcomes.clear();
    for (const OutboxRow& row : pile->rows)
      pile->outcomes.push_back(ended(row, Delivery::failed, loaded.error().message()));
    co_return std::move(pile->outcomes);
  }
  Group reading;
  Group sending;
  for (Push& push : pile->pushes) {
    if (auto settled = settled_already(push)) {
      pile->outcomes.push_back(std::move(*settled));
    } else {
      (is_read_first(push) ? reading : sending).push_back(&push);
    }
  }
  if (!reading.empty()) {
    Group left = co_await read_group(*pile, std::move(reading), false);
    sending = with_names_there(*pile, std::move(sending));
    sending.insert(sending.end(), left.begin(), left.end());
  }
  note_broken_circles(*pile);
  Group rest = co_await send_circles(*pile, std::move(sending));
  co_await send_all(*pile, std::move(rest));
  co_return std::move(pile->outcomes);
}

}  // namespace gateway::sync
