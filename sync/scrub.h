// The scrub reads everything that is held, slowly, so that damage shows while the PACS still has
// the image: every chunk of every object, then every page and row of the database. A round goes on
// after a restart where it stood (at most kSavedEvery objects are read twice).
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/net/http.h"
#include "sync/damage.h"
#include "sync/holdings.h"
#include "sync/pacs_clients.h"

namespace gateway::sync {

struct ScrubProgress {
  std::string started_at;  // instants; empty: never
  std::int64_t after_row = 0;
  std::int64_t objects = 0;
  std::int64_t bytes = 0;
  std::int64_t damaged = 0;   // found in this round
  std::int64_t repaired = 0;  // of these
  std::string finished_at;    // of the last whole round
  std::string database_checked_at;
  std::string database_damage;  // empty: none found
  bool running() const { return !started_at.empty() && finished_at < started_at; }
};

struct ScrubSetting {
  std::shared_ptr<Holdings> holdings;
  const core::Clock& clock;
  std::uint64_t bytes_per_s = 0;      // of objects and of the database; 0: no scrub
  core::Milliseconds round_every{0};  // from the start of one to the start of the next
  PacsClients& pacs;
  std::function<bool()> stopping;  // any thread
  /// Hears of a damaged database: what was found, in SQLite's words.
  std::function<void(const std::string& what)> database_damaged;
};

/// Blocks its loop for disk and database, step by step; for the upkeep thread. The look at the
/// database runs on a thread of its own, which ends before run() does.
class Scrub {
 public:
  static constexpr std::int64_t kSavedEvery = 64;

  /// `pause` paces it; cancelling it makes it look at `stopping`.
  Scrub(ScrubSetting setting, boost::asio::steady_timer& pause);

  /// Begins a round if one is due, or goes on with one, to its end. Damage noted earlier is tried
  /// to be mended first, round or not; the first time, files that are gone are looked for.
  core::net::Awaitable<core::Status> run();
  /// Where an earlier start of the gateway left it; run() does it by itself.
  core::Status recall();
  const ScrubProgress& progress() const { return progress_; }
  /// Objects noted as damaged, as of the last run().
  std::int64_t damaged_now() const { return damaged_now_; }
  /// Called after each step, on the loop.
  void on_step(std::function<void()> step) { step_ = std::move(step); }

 private:
  struct Held;
  core::net::Awaitable<core::Status> mend_noted();
  /// True: it is read to its end after all, or is replaced.
  core::net::Awaitable<core::Result<bool>> mend(const DamagedObject& noted);
  core::net::Awaitable<core::Status> look_for_lost_files();
  /// The next ones held, at most a page of them.
  core::Result<std::vector<Held>> held_after(std::int64_t row);
  core::net::Awaitable<core::Status> read_objects();
  core::net::Awaitable<core::Status> read_object(const Held& object);
  core::net::Awaitable<core::Status> read_chunks(const Held& object);
  core::net::Awaitable<core::Status> check_database();
  core::net::Awaitable<core::Result<std::vector<std::string>>> look_at_database();
  std::chrono::microseconds price_of(std::uint64_t bytes) const;
  core::net::Awaitable<void> pay(std::uint64_t bytes);
  core::Status save();
  core::Status count_damage();

  ScrubSetting setting_;
  boost::asio::steady_timer& pause_;
  std::function<void()> step_ = [] {};
  ScrubProgress progress_;
  bool loaded_ = false;
  bool counted_ = false;  // since the start
  std::int64_t damaged_now_ = 0;
  core::Monotonic paid_until_;
};

}  // namespace gateway::sync
