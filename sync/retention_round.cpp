#include "sync/retention_round.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "core/log.h"
#include "core/text.h"
#include "sync/confirmation.h"
#include "sync/shredding.h"

namespace gateway::sync {
namespace {

using core::net::Awaitable;

constexpr int kStudiesAtOnce = 4;
constexpr std::size_t kEvictedAtOnce = 32;
constexpr std::chrono::hours kAskAgainAfter{24};

class Round {
 public:
  Round(const RetentionSetting& setting, RetentionWalk& walk, RetentionReport& report)
      : setting_(setting), walk_(walk), report_(report) {
    asking_.image_uplinks = setting.holdings->options().ingest.image_uplinks;
    asking_.silent = setting.pacs.committing();
    asking_.ask_again_before = core::to_instant(setting.clock.wall() - kAskAgainAfter);
  }

  Awaitable<core::Status> run() {
    GW_CO_TRY(const std::uint64_t free,
              setting_.files.free_bytes(setting_.holdings->options().state_folder));
    report_.making_room = is_making_room(setting_.policy, free, report_.making_room);
    report_.problem.clear();
    wanted_ = report_.making_room && setting_.policy.free_until_bytes > free
                  ? setting_.policy.free_until_bytes - free
                  : 0;
    if (!is_wanted()) {
      walk_ = {};
      report_.is_short = false;
      co_return core::Status();
    }
    core::Status walked = co_await walk_on();
    co_return walked;
  }

 private:
  bool is_wanted() const { return setting_.policy.keep || wanted_ > 0; }

  Awaitable<core::Status> walk_on() {
    std::size_t fruitless = 0;
    while (!setting_.stopping() && is_wanted() && fruitless < kFruitlessStudies) {
      StudyCursor next = walk_.at;
      GW_CO_TRY(const auto studies, load(next));
      if (studies.empty()) {
        report_.is_short = wanted_ > 0 && !walk_.moved;
        walk_ = {};
        break;
      }
      // Each answer changes what may go: the same studies again until nothing moves.
      auto moved = co_await work_on(studies);
      if (!moved.ok()) co_return std::move(moved).error();
      walk_.moved = walk_.moved || *moved;
      if (*moved) continue;
      walk_.at = next;
      fruitless += studies.size();
    }
    if (wanted_ == 0 || walk_.moved) report_.is_short = false;
    co_return core::Status();
  }

  core::Result<std::vector<HeldStudy>> load(StudyCursor& cursor) {
    // Later than any instant, where room is wanted whatever the age.
    const std::string before =
        wanted_ > 0 ? "~" : core::to_instant(setting_.clock.wall() - *setting_.policy.keep);
    return setting_.holdings->database().read_value<std::vector<HeldStudy>>(
        [&](crypto::Connection& connection) {
          return held_studies(connection, asking_, before, kStudiesAtOnce, cursor);
        });
  }

  Awaitable<core::Result<bool>> work_on(const std::vector<HeldStudy>& studies) {
    const RetentionPlan plan =
        plan_retention(setting_.policy, setting_.clock.wall(), wanted_, studies);
    GW_CO_TRY(bool moved, evict_all(plan.evict));
    for (const Question& question : plan.ask) {
      if (setting_.stopping()) break;
      if (asking_.silent.contains(question.uplink) || fruitless_.contains(question.row)) continue;
      const bool verified = co_await ask(question);
      moved = moved || verified;
    }
    co_return moved;
  }

  core::Result<bool> evict_all(const std::vector<std::int64_t>& rows) {
    bool moved = false;
    for (std::size_t begin = 0; begin < rows.size() && !setting_.stopping();) {
      const std::size_t end = std::min(begin + kEvictedAtOnce, rows.size());
      const std::vector<std::int64_t> group(rows.begin() + static_cast<std::ptrdiff_t>(begin),
                                            rows.begin() + static_cast<std::ptrdiff_t>(end));
      GW_TRY(const Evicted evicted, evict(*setting_.holdings, setting_.clock, group));
      const auto shredded =
          shred_doomed(setting_.holdings->database(), setting_.holdings->objects(), setting_.clock,
                       setting_.stopping);
      // It stays doomed. Room has to be made all the same.
      if (!shredded.ok()) {
        report_.problem = shredded.error().message();
        core::log_warn("retention", report_.problem);
      }
      moved = moved || evicted.instances > 0;
      wanted_ -= std::min(wanted_, evicted.bytes);
      report_.evicted += evicted.instances;
      report_.evicted_bytes += evicted.bytes;
      begin = end;
    }
    return moved;
  }

  /// True when one more instance is proven. A PACS that does not answer is left alone till the next
  /// round.
  Awaitable<bool> ask(const Question& question) {
    auto client = setting_.pacs.get(question.uplink);
    if (!client.ok()) {
      fall_silent(question.uplink, client.error());
      co_return false;
    }
    const auto answer = co_await confirm_instance(setting_.holdings, std::move(*client),
                                                  setting_.clock, question, setting_.stopping);
    if (!answer.ok()) {
      fall_silent(question.uplink, answer.error());
      co_return false;
    }
    if (*answer == Confirmed::differs) ++report_.differing;
    if (*answer == Confirmed::missing) ++report_.missing;
    if (*answer != Confirmed::verified) {
      fruitless_.insert(question.row);
      co_return false;
    }
    ++report_.verified;
    co_return true;
  }

  void fall_silent(const std::string& uplink, const core::Error& error) {
    asking_.silent.insert(uplink);
    if (error.code() == core::Code::cancelled) return;
    report_.problem = core::cat("uplink ", uplink, ": ", error.message());
    core::log_warn("retention", core::cat("images cannot be confirmed: ", report_.problem));
  }

  const RetentionSetting& setting_;
  RetentionWalk& walk_;
  RetentionReport& report_;
  Asking asking_;
  std::uint64_t wanted_ = 0;
  std::set<std::int64_t> fruitless_;  // no use asking again in this round
};

}  // namespace

Awaitable<core::Status> retention_round(const RetentionSetting& setting, RetentionWalk& walk,
                                        RetentionReport& report) {
  Round round(setting, walk, report);
  core::Status done = co_await round.run();
  co_return done;
}

}  // namespace gateway::sync
