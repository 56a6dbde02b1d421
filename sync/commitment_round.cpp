#include "sync/commitment_round.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/log.h"
#include "core/text.h"
#include "sync/confirmation.h"
#include "sync/data_set_digest.h"

namespace gateway::sync {
namespace {

using core::net::Awaitable;
using crypto::Connection;

constexpr std::int64_t kAskedAtOnce = 32;
constexpr std::chrono::hours kAskAgainAfter{24};
constexpr core::Milliseconds kStillComing{30'000};
constexpr std::chrono::hours kReadAgainAfter{1};

/// Reads the object through and notes its digest: what is here is whole. False: it cannot be read.
core::Result<bool> read_own_copy(const CommitmentSetting& setting, std::int64_t row) {
  Holdings& holdings = *setting.holdings;
  std::string object_id;
  std::uint64_t offset = 0;
  GW_CHECK(holdings.database().read([&](Connection& connection) -> core::Status {
    GW_TRY(auto rows, connection.query("SELECT object_id, data_set_offset FROM dicom_instance"
                                       " WHERE row = ? AND state = 'held'",
                                       row));
    GW_TRY(const bool found, rows.next());
    if (!found) return {};
    object_id = rows.text(0);
    offset = static_cast<std::uint64_t>(rows.integer(1));
    return {};
  }));
  if (object_id.empty()) return true;
  auto digest = data_set_digest(holdings.objects(), object_id, offset, setting.stopping);
  if (!digest.ok()) {
    // The scrub says what is damaged; a commitment only never says yes to it.
    core::log_warn("commitment", digest.error().message());
    return false;
  }
  GW_CHECK(holdings.database().write([&](Connection& connection) {
    return connection.run("UPDATE dicom_instance SET digest = ? WHERE row = ?", *digest, row);
  }));
  return true;
}

enum class Asked { settled, unreadable, silent };

Awaitable<core::Result<Asked>> ask(const CommitmentSetting& setting, Question question) {
  if (question.uplink.empty()) {
    GW_CO_TRY(const bool is_whole, read_own_copy(setting, question.row));
    co_return is_whole ? Asked::settled : Asked::unreadable;
  }
  auto client = setting.pacs.get(question.uplink);
  if (!client.ok()) co_return Asked::silent;
  const auto answer = co_await confirm_instance(setting.holdings, std::move(*client), setting.clock,
                                                std::move(question), setting.stopping);
  if (!answer.ok()) co_return Asked::silent;
  co_return *answer == Confirmed::unknown ? Asked::unreadable : Asked::settled;
}

/// From where the last round ended.
Awaitable<core::Status> ask_all(const CommitmentSetting& setting, std::string uplink,
                                CommitmentWalk& walk) {
  std::int64_t& after = walk.asked_after[uplink];
  const std::string asked_before = core::to_instant(setting.clock.wall() - kAskAgainAfter);
  const auto load = [&](Connection& connection) {
    return commitment_questions(connection, uplink, asked_before, after, kAskedAtOnce);
  };
  GW_CO_TRY(const auto questions,
            setting.holdings->database().read_value<std::vector<Question>>(load));
  for (const Question& question : questions) {
    if (setting.stopping()) co_return core::Status();
    after = question.row;
    if (walk.unreadable.contains(question.row)) continue;
    const auto asked = co_await ask(setting, question);
    if (!asked.ok()) co_return asked.error();
    if (*asked == Asked::silent) co_return core::Status();
    if (*asked == Asked::unreadable)
      walk.unreadable.emplace(question.row, setting.clock.monotonic());
  }
  if (std::ssize(questions) < kAskedAtOnce) after = 0;
  co_return core::Status();
}

core::Status decide(const CommitmentSetting& setting, CommitmentWalk& walk) {
  const auto can = [&](Connection& connection) {
    return may_decide_commitments(connection, setting.rule);
  };
  GW_TRY(const bool may, setting.holdings->database().read_value<bool>(can));
  if (!may) return {};
  const core::Monotonic now = setting.clock.monotonic();
  std::map<std::int64_t, core::Monotonic> still;
  const auto may_still_come = [&](std::int64_t number) {
    const auto known = walk.first_seen.find(number);
    const core::Monotonic first = known == walk.first_seen.end() ? now : known->second;
    still[number] = first;
    return now - first < kStillComing;
  };
  std::int64_t ready = 0;
  GW_CHECK(setting.holdings->database().write([&](Connection& connection) -> core::Status {
    GW_TRY(ready, decide_commitments(connection, setting.rule, may_still_come));
    return {};
  }));
  walk.first_seen = std::move(still);
  if (ready > 0)
    core::log_info("commitment", core::cat(ready, " storage commitment requests are decided"));
  return {};
}

core::Result<bool> has_open(Holdings& holdings) {
  return holdings.database().read_value<bool>([](Connection& connection) -> core::Result<bool> {
    GW_TRY(const auto open,
           connection.integer("SELECT 1 FROM commitment WHERE state = 'open' LIMIT 1"));
    return open.has_value();
  });
}

}  // namespace

Awaitable<core::Status> commitment_round(const CommitmentSetting& setting, CommitmentWalk& walk) {
  GW_CO_TRY(const bool open, has_open(*setting.holdings));
  if (!open) co_return core::Status();
  std::erase_if(walk.unreadable, [now = setting.clock.monotonic()](const auto& known) {
    return now - known.second >= kReadAgainAfter;
  });
  std::vector<std::string> uplinks = setting.holdings->options().ingest.image_uplinks;
  std::erase_if(uplinks, [&](const std::string& uplink) {
    return setting.pacs.committing().contains(uplink);
  });
  if (setting.rule == CommitmentRule::stored) uplinks = {""};
  for (const std::string& uplink : uplinks) {
    GW_CO_CHECK(co_await ask_all(setting, uplink, walk));
  }
  co_return decide(setting, walk);
}

}  // namespace gateway::sync
