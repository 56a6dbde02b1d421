#include "sync/commitment_round.h"

#include <set>
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

/// Reads the object through and notes its digest: what is here is whole.
core::Status read_own_copy(const CommitmentSetting& setting, std::int64_t row) {
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
  if (object_id.empty()) return {};
  auto digest = data_set_digest(holdings.objects(), object_id, offset, setting.stopping);
  if (!digest.ok()) {
    // The scrub says what is damaged; a commitment only never says yes to it.
    core::log_warn("commitment", digest.error().message());
    return {};
  }
  return holdings.database().write([&](Connection& connection) {
    return connection.run("UPDATE dicom_instance SET digest = ? WHERE row = ?", *digest, row);
  });
}

Awaitable<void> ask_uplink(const CommitmentSetting& setting, Question question,
                           std::set<std::string>& silent) {
  if (silent.contains(question.uplink)) co_return;
  const std::string uplink = question.uplink;
  auto client = setting.pacs.get(uplink);
  if (!client.ok()) {
    silent.insert(uplink);
    co_return;
  }
  const auto answer = co_await confirm_instance(setting.holdings, std::move(*client), setting.clock,
                                                std::move(question), setting.stopping);
  if (!answer.ok()) silent.insert(uplink);
}

core::Status decide(const CommitmentSetting& setting, CommitmentsSeen& seen) {
  const core::Monotonic now = setting.clock.monotonic();
  CommitmentsSeen still;
  const auto may_still_come = [&](std::int64_t number) {
    const auto known = seen.find(number);
    const core::Monotonic first = known == seen.end() ? now : known->second;
    still[number] = first;
    return now - first < kStillComing;
  };
  std::int64_t ready = 0;
  GW_CHECK(setting.holdings->database().write([&](Connection& connection) -> core::Status {
    GW_TRY(ready, decide_commitments(connection, setting.rule, may_still_come));
    return {};
  }));
  seen = std::move(still);
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

Awaitable<core::Status> commitment_round(const CommitmentSetting& setting, CommitmentsSeen& seen) {
  GW_CO_TRY(const bool open, has_open(*setting.holdings));
  if (!open) co_return core::Status();
  const std::string asked_before = core::to_instant(setting.clock.wall() - kAskAgainAfter);
  const auto load = [&](Connection& connection) {
    return commitment_questions(connection, setting.rule, asked_before, kAskedAtOnce);
  };
  GW_CO_TRY(const auto questions,
            setting.holdings->database().read_value<std::vector<Question>>(load));
  std::set<std::string> silent;
  for (const Question& question : questions) {
    if (setting.stopping()) co_return core::Status();
    if (question.uplink.empty()) {
      GW_CO_CHECK(read_own_copy(setting, question.row));
    } else {
      co_await ask_uplink(setting, question, silent);
    }
  }
  co_return decide(setting, seen);
}

}  // namespace gateway::sync
