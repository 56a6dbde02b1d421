#include "sync/upkeep.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <mutex>
#include <thread>
#include <utility>

#include "core/log.h"
#include "core/text.h"
#include "sync/commitment_round.h"
#include "sync/message_retention.h"
#include "sync/recovery.h"
#include "sync/retention_round.h"
#include "sync/samples.h"
#include "sync/scrub.h"
#include "sync/shredding.h"
#include "sync/upload_rows.h"

namespace gateway::sync {
namespace {

namespace asio = boost::asio;
using core::Json;
using core::net::Awaitable;

// 1 MiB of the database: a few milliseconds of the writer.
constexpr std::uint64_t kPagesAtOnce = 256;
constexpr core::Milliseconds kBetweenSteps{20};
constexpr core::Milliseconds kTruncateAgain{5'000};
constexpr int kMessageSteps = 8;
constexpr std::int64_t kMessagesAtOnce = 250;
constexpr core::Milliseconds kSamplesRest{600'000};

Json retention_json(const RetentionReport& report) {
  const char* state = report.is_short      ? "short_of_space"
                      : report.making_room ? "making_room"
                                           : "idle";
  return Json::object({{"state", state},
                       {"evicted", report.evicted},
                       {"evicted_bytes", report.evicted_bytes},
                       {"verified", report.verified},
                       {"differing", report.differing},
                       {"missing", report.missing},
                       {"problem", report.problem.empty() ? Json() : Json(report.problem)}});
}

Json prefetch_json(const PrefetchReport& report, bool is_on) {
  const char* state = !is_on ? "off" : report.is_waiting ? "waiting" : "idle";
  return Json::object({{"state", state},
                       {"studies", report.studies},
                       {"instances", report.instances},
                       {"bytes", report.bytes},
                       {"given_up", report.given_up},
                       {"held_bytes", report.held_bytes},
                       {"problem", report.problem.empty() ? Json() : Json(report.problem)}});
}

Json instant_or_null(const std::string& instant) {
  return instant.empty() ? Json() : Json(instant);
}

Json scrub_json(const ScrubProgress& progress, bool is_on, std::int64_t damaged_now) {
  const char* database = progress.database_checked_at.empty() ? "unchecked"
                         : progress.database_damage.empty()   ? "ok"
                                                              : "damaged";
  return Json::object({{"state", !is_on               ? "off"
                                 : progress.running() ? "running"
                                                      : "resting"},
                       {"started_at", instant_or_null(progress.started_at)},
                       {"finished_at", instant_or_null(progress.finished_at)},
                       {"objects", progress.objects},
                       {"bytes", progress.bytes},
                       {"damaged", progress.damaged},
                       {"repaired", progress.repaired},
                       {"damaged_now", damaged_now},
                       {"database", database},
                       {"database_checked_at", instant_or_null(progress.database_checked_at)}});
}

class UpkeepThread final : public Upkeep {
 public:
  UpkeepThread(std::shared_ptr<Holdings> holdings, core::Files& files, const core::Clock& clock,
               UpkeepOptions options)
      : holdings_(std::move(holdings)),
        files_(files),
        clock_(clock),
        options_(std::move(options)),
        pacs_(loop_.get_executor(), options_.connect, options_.committing_uplinks),
        retention_timer_(loop_),
        prefetch_timer_(loop_),
        tidy_timer_(loop_),
        scrub_timer_(loop_),
        commitment_timer_(loop_),
        scrub_({holdings_, clock_, options_.scrub_bytes_per_s, options_.scrub_round_every, pacs_,
                [this] { return stopping_.load(); },
                [this](const std::string& what) { give_up_database(what); }},
               scrub_timer_) {
    scrub_.on_step([this] { show_scrub(); });
    show_scrub();
    asio::co_spawn(loop_, keep_retention(this), asio::detached);
    asio::co_spawn(loop_, keep_tidy(this), asio::detached);
    asio::co_spawn(loop_, keep_scrubbing(this), asio::detached);
    asio::co_spawn(loop_, keep_commitments(this), asio::detached);
    asio::co_spawn(loop_, keep_prefetching(this), asio::detached);
    thread_ = std::thread([this] { loop_.run(); });
  }

  ~UpkeepThread() override {
    stopping_ = true;
    asio::post(loop_, [this] {
      pacs_.close();
      retention_timer_.cancel();
      prefetch_timer_.cancel();
      tidy_timer_.cancel();
      scrub_timer_.cancel();
      commitment_timer_.cancel();
    });
    thread_.join();
  }

  Json report() const override {
    const std::lock_guard lock(mutex_);
    return Json::object(
        {{"retention", retention_json(shown_retention_)},
         {"prefetch", prefetch_json(shown_prefetch_, !options_.prefetch.uplink.empty())},
         {"scrub", scrub_json(shown_scrub_, options_.scrub_bytes_per_s > 0, shown_damage_)}});
  }

  std::vector<std::string> problems() const override {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> list;
    if (shown_damage_ > 0) {
      list.push_back(core::cat(shown_damage_,
                               " stored objects are damaged and could not be fetched again; see "
                               "clinic-gateway storage"));
    }
    if (!lost_epochs_.empty()) list.push_back(lost_epochs_);
    if (!shown_scrub_.database_damage.empty() || is_damaged_) {
      list.push_back(core::cat("the database is damaged; ",
                               not_restored_.empty()
                                   ? "the next start restores it from the last backup: "
                                     "restart the service and unlock it"
                                   : not_restored_));
    }
    if (shown_retention_.is_short) {
      list.emplace_back(
          "room is needed, but nothing more may be evicted: what is left is pinned, "
          "not settled, or not confirmed by the PACS; see clinic-gateway storage");
    }
    if (shown_retention_.differing + shown_retention_.missing > 0) {
      list.push_back(core::cat(shown_retention_.differing + shown_retention_.missing,
                               " images were not found unchanged at the PACS and stay here; see "
                               "clinic-gateway storage"));
    }
    if (!failure_.empty()) list.push_back(failure_);
    return list;
  }

 private:
  static Awaitable<void> keep_retention(UpkeepThread* self) {
    const RetentionSetting setting{self->holdings_, self->files_,
                                   self->clock_,    self->options_.retention,
                                   self->pacs_,     [self] { return self->stopping_.load(); }};
    RetentionReport report;
    RetentionWalk walk;
    self->look_for_epochs();
    // What an earlier run marked and did not shred.
    self->note(shred_all(self));
    while (!self->stopping_) {
      co_await self->rest(self->retention_timer_, self->options_.retention_every);
      if (self->stopping_) break;
      const auto evicted = report.evicted;
      core::Status done = co_await retention_round(setting, walk, report);
      if (done.ok()) done = shred_all(self);
      if (done.ok()) done = retire_if_due(self);
      self->look_at_suspicions();
      self->look_for_epochs();
      // One that fails must not keep the other from its work.
      const core::Status expired = self->expire_messages();
      const core::Status packed = self->pack_samples();
      const core::Status given_up = self->give_up_uploads();
      self->note(!done.ok() ? done : !expired.ok() ? expired : !packed.ok() ? packed : given_up);
      self->show_retention(report);
      if (report.evicted > evicted) {
        core::log_info("retention", core::cat(report.evicted - evicted, " instances evicted"));
        self->tidy_timer_.cancel();
      }
    }
  }

  static Awaitable<void> keep_prefetching(UpkeepThread* self) {
    if (self->options_.prefetch.uplink.empty()) co_return;
    const PrefetchSetting setting{self->holdings_,
                                  self->files_,
                                  self->clock_,
                                  self->options_.prefetch,
                                  std::max(self->options_.retention.free_below_bytes,
                                           self->holdings_->options().reserve_bytes),
                                  self->pacs_,
                                  [self] { return self->stopping_.load(); }};
    PrefetchFailures failures;
    PrefetchReport report;
    bool is_more = false;
    while (!self->stopping_) {
      if (!is_more) co_await self->rest(self->prefetch_timer_, self->options_.prefetch_every);
      if (self->stopping_) break;
      const std::string before = report.problem;
      const auto done = co_await prefetch_round(setting, failures, report);
      is_more = done.ok() && *done;
      if (!done.ok()) self->note(done.error());
      if (!report.problem.empty() && report.problem != before)
        core::log_warn("prefetch", core::cat("priors cannot be fetched: ", report.problem));
      const std::lock_guard lock(self->mutex_);
      self->shown_prefetch_ = report;
    }
  }

  /// Some steps a round: many that may not go yet must not keep it busy.
  core::Status expire_messages() {
    if (!options_.keep_raw_messages) return {};
    const std::string before = core::to_instant(clock_.wall() - *options_.keep_raw_messages);
    const auto step = [&](crypto::Connection& connection) -> core::Status {
      GW_CHECK(expire_raw_messages(connection, before, kMessagesAtOnce, message_walk_));
      return {};
    };
    for (int taken = 0; taken < kMessageSteps && !stopping_; ++taken) {
      GW_CHECK(holdings_->database().write(step));
      if (message_walk_.ended) break;
    }
    return {};
  }

  /// Those nobody went on with; their bytes go with the next round.
  core::Status give_up_uploads() {
    GW_CHECK(forget_segments());
    const std::string now = core::to_instant(clock_.wall());
    GW_TRY(const auto due, holdings_->database().read_value<std::optional<std::int64_t>>(
                               [&](crypto::Connection& connection) {
                                 return connection.integer(
                                     "SELECT 1 FROM upload WHERE expires_at < ?", now);
                               }));
    if (!due) return {};
    return holdings_->database().write(
        [&](crypto::Connection& connection) { return expire_uploads(connection, now); });
  }

  /// Where the bytes of an instance lie that is on its way to a hub no more.
  core::Status forget_segments() {
    constexpr std::string_view kNobodys =
        " FROM resumable_segment WHERE NOT EXISTS (SELECT 1 FROM outbox WHERE"
        " uplink = resumable_segment.uplink AND kind = 'instance'"
        " AND subject = CAST(resumable_segment.instance AS TEXT))";
    GW_TRY(const auto some,
           holdings_->database().read_value<std::optional<std::int64_t>>(
               [&](crypto::Connection& connection) {
                 return connection.integer(core::cat("SELECT 1", kNobodys, " LIMIT 1"));
               }));
    if (!some) return {};
    return holdings_->database().write([&](crypto::Connection& connection) {
      return connection.run(core::cat("DELETE", kNobodys));
    });
  }

  /// What is young stays as it came, so that a message sent again is recognised.
  core::Status pack_samples() {
    const core::Wall now = clock_.wall();
    std::int64_t packed = 0;
    std::int64_t gone = 0;
    const auto pack = [&](crypto::Connection& connection) -> core::Status {
      GW_TRY(packed, sync::pack_samples(connection, core::to_instant(now - kSamplesRest)));
      return {};
    };
    const auto expire = [&](crypto::Connection& connection) -> core::Status {
      const std::string before = core::to_instant(now - options_.keep_samples);
      GW_TRY(gone, expire_samples(connection, before, kMessagesAtOnce));
      return {};
    };
    do {
      GW_CHECK(holdings_->database().write(pack));
    } while (packed > 0 && !stopping_);
    do {
      GW_CHECK(holdings_->database().write(expire));
    } while (gone > 0 && !stopping_);
    return {};
  }

  static core::Status shred_all(UpkeepThread* self) {
    const auto shredded = shred_doomed(self->holdings_->database(), self->holdings_->objects(),
                                       self->clock_, [self] { return self->stopping_.load(); });
    return shredded.ok() ? core::Status() : core::Status(shredded.error());
  }

  void give_up_database(const std::string& what) {
    const HoldingsOptions& held = holdings_->options();
    const core::Status given_up = sync::give_up_database(
        {files_, holdings_->keyring(), clock_, held.state_folder, held.backup_folder}, what);
    {
      const std::lock_guard lock(mutex_);
      not_restored_ = given_up.ok() ? "" : given_up.error().message();
    }
    if (!given_up.ok()) {
      core::log_error("upkeep", core::cat("the database is damaged; ", given_up.error().message()));
      return;
    }
    core::log_error("upkeep", "the database is damaged: a restart restores it from the backup");
    options_.restart();
  }

  /// Somebody met a page that makes no sense: the next weekly round would be late to tell.
  void look_at_suspicions() {
    const std::uint64_t suspected = holdings_->database().damage_suspected();
    if (suspected == looked_into_ || is_damaged_) return;
    looked_into_ = suspected;
    const auto findings = holdings_->check_database([this](std::uint64_t) { return !stopping_; });
    if (stopping_ || (findings.ok() && findings->empty())) return;
    is_damaged_ = true;
    give_up_database(findings.ok() ? findings->front() : findings.error().message());
  }

  void look_for_epochs() {
    std::string text;
    for (const std::uint32_t epoch : holdings_->keyring().lost_epochs()) {
      text += core::cat(text.empty() ? "" : ", ", epoch, ".key");
    }
    const std::lock_guard lock(mutex_);
    lost_epochs_ = text.empty() ? ""
                                : core::cat("epoch keys are gone or damaged: ", text,
                                            "; what was sealed under them cannot be read. Put each "
                                            "file back into the folder epochs from the newest run "
                                            "in the backup's folder, as it is there, and restart");
  }

  static core::Status retire_if_due(UpkeepThread* self) {
    Holdings& holdings = *self->holdings_;
    GW_TRY(const bool due, is_retirement_due(holdings, self->files_, self->clock_,
                                             self->options_.epochs_retire_after));
    if (!due) return {};
    core::Status retired = retire_epochs(holdings, self->files_, self->clock_,
                                         [self] { return self->stopping_.load(); });
    // A sender is still at it: the next round tries again.
    if (!retired.ok() && retired.error().code() == core::Code::busy) return {};
    return retired;
  }

  /// Pages of deleted rows go back to the disk, and deleted rows leave the WAL.
  static Awaitable<void> keep_tidy(UpkeepThread* self) {
    crypto::Database& database = self->holdings_->database();
    // An earlier run may have deleted something just before it was killed.
    std::uint64_t seen = UINT64_MAX;
    while (!self->stopping_) {
      co_await self->rest(self->tidy_timer_, self->options_.deleted_leave_wal_every);
      if (self->stopping_ || database.groups_committed() == seen) continue;
      const core::Status done = co_await tidy(self);
      self->note(done);
      seen = database.groups_committed();
    }
  }

  static Awaitable<core::Status> tidy(UpkeepThread* self) {
    crypto::Database& database = self->holdings_->database();
    while (!self->stopping_) {
      GW_CO_TRY(const std::uint64_t left, database.return_free_pages(kPagesAtOnce));
      if (left == 0) break;
      co_await self->rest(self->tidy_timer_, kBetweenSteps);
    }
    while (!self->stopping_) {
      GW_CO_TRY(const bool truncated, database.truncate_wal());
      if (truncated) break;
      co_await self->rest(self->tidy_timer_, kTruncateAgain);
    }
    co_return core::Status();
  }

  static Awaitable<void> keep_scrubbing(UpkeepThread* self) {
    self->note(self->scrub_.recall());
    self->show_scrub();
    core::Milliseconds pause = self->options_.scrub_begins_after;
    while (!self->stopping_) {
      co_await self->rest(self->scrub_timer_, pause);
      pause = self->options_.scrub_looks_every;
      if (self->stopping_) break;
      const core::Status done = co_await self->scrub_.run();
      self->note(done);
      // A replaced object's old file.
      if (done.ok()) self->note(shred_all(self));
      self->show_scrub();
    }
  }

  static Awaitable<void> keep_commitments(UpkeepThread* self) {
    const CommitmentSetting setting{self->holdings_, self->clock_, self->options_.commitment,
                                    self->pacs_, [self] { return self->stopping_.load(); }};
    CommitmentWalk walk;
    while (!self->stopping_) {
      co_await self->rest(self->commitment_timer_, self->options_.commitment_every);
      if (self->stopping_) break;
      const core::Status done = co_await commitment_round(setting, walk);
      if (!done.ok()) self->note(done);
    }
  }

  Awaitable<void> rest(asio::steady_timer& timer, core::Milliseconds time) {
    timer.expires_after(time);
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }

  void note(const core::Status& status) {
    const bool stopped = !status.ok() && status.error().code() == core::Code::cancelled;
    const std::lock_guard lock(mutex_);
    failure_ = status.ok() || stopped ? "" : core::cat("upkeep failed: ", status.error().message());
    if (!failure_.empty()) core::log_error("upkeep", status.error().message());
  }
  void show_retention(const RetentionReport& report) {
    const std::lock_guard lock(mutex_);
    shown_retention_ = report;
  }
  void show_scrub() {
    const std::lock_guard lock(mutex_);
    shown_scrub_ = scrub_.progress();
    shown_damage_ = scrub_.damaged_now();
  }

  const std::shared_ptr<Holdings> holdings_;
  core::Files& files_;
  const core::Clock& clock_;
  const UpkeepOptions options_;
  std::atomic<bool> stopping_ = false;
  asio::io_context loop_;
  PacsClients pacs_;
  asio::steady_timer retention_timer_;
  asio::steady_timer prefetch_timer_;
  asio::steady_timer tidy_timer_;
  asio::steady_timer scrub_timer_;
  asio::steady_timer commitment_timer_;
  Scrub scrub_;
  MessageWalk message_walk_;
  std::uint64_t looked_into_ = 0;  // of the database's suspicions
  std::atomic<bool> is_damaged_ = false;

  mutable std::mutex mutex_;
  RetentionReport shown_retention_;
  PrefetchReport shown_prefetch_;
  ScrubProgress shown_scrub_;
  std::int64_t shown_damage_ = 0;
  std::string failure_;
  std::string lost_epochs_;
  std::string not_restored_;  // why a damaged database stays in use
  std::thread thread_;        // last: it runs with all of the above
};

}  // namespace

std::unique_ptr<Upkeep> Upkeep::start(std::shared_ptr<Holdings> holdings, core::Files& files,
                                      const core::Clock& clock, UpkeepOptions options) {
  return std::make_unique<UpkeepThread>(std::move(holdings), files, clock, std::move(options));
}

}  // namespace gateway::sync
