#include "sync/scrub.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <future>
#include <optional>
#include <thread>
#include <utility>

#include "core/civil_time.h"
#include "core/log.h"
#include "core/text.h"
#include "crypto/database_check.h"

namespace gateway::sync {
namespace {

namespace asio = boost::asio;
using core::net::Awaitable;
using crypto::Connection;

constexpr std::size_t kPiece = 256U << 10;
constexpr int kListed = 64;
// Shorter waits would cost more in wake-ups than they smooth.
constexpr core::Milliseconds kPauseMin{250};
constexpr int kTruncateAttempts = 20;
constexpr core::Milliseconds kTruncateAgain{500};
// 256 MiB. The look at the database keeps the WAL from being reused: where much is written
// meanwhile, it is over soon rather than gentle.
constexpr std::uint64_t kWalPagesMax = 65'536;

bool is_damage(core::Code code) {
  return code == core::Code::corrupt || code == core::Code::not_found || code == core::Code::io;
}

}  // namespace

struct Scrub::Held {
  std::int64_t row = 0;
  std::string object_id;
  std::uint64_t size = 0;
};

Scrub::Scrub(ScrubSetting setting, asio::steady_timer& pause)
    : setting_(std::move(setting)), pause_(pause), paid_until_(setting_.clock.monotonic()) {}

core::Status Scrub::recall() {
  if (loaded_) return {};
  GW_TRY(progress_, setting_.holdings->database().read_value<ScrubProgress>(
                        [](Connection& connection) -> core::Result<ScrubProgress> {
                          ScrubProgress progress;
                          GW_TRY(auto rows,
                                 connection.query(
                                     "SELECT started_at, after_row, objects, bytes, damaged,"
                                     " repaired, finished_at, database_checked_at, database_damage"
                                     " FROM scrub"));
                          GW_TRY(const bool found, rows.next());
                          if (!found) return progress;
                          progress.started_at = rows.text(0);
                          progress.after_row = rows.integer(1);
                          progress.objects = rows.integer(2);
                          progress.bytes = rows.integer(3);
                          progress.damaged = rows.integer(4);
                          progress.repaired = rows.integer(5);
                          progress.finished_at = rows.text(6);
                          progress.database_checked_at = rows.text(7);
                          progress.database_damage = rows.text(8);
                          return progress;
                        }));
  loaded_ = true;
  return count_damage();
}

core::Status Scrub::save() {
  return setting_.holdings->database().write([this](Connection& connection) {
    return connection.run(
        "INSERT OR REPLACE INTO scrub (id, started_at, after_row, objects, bytes, damaged,"
        " repaired, finished_at, database_checked_at, database_damage)"
        " VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        progress_.started_at, progress_.after_row, progress_.objects, progress_.bytes,
        progress_.damaged, progress_.repaired, progress_.finished_at, progress_.database_checked_at,
        progress_.database_damage);
  });
}

core::Status Scrub::count_damage() {
  GW_TRY(const auto count, setting_.holdings->database().read_value<std::optional<std::int64_t>>(
                               [](Connection& connection) {
                                 return connection.integer("SELECT count(*) FROM object_damage");
                               }));
  damaged_now_ = count.value_or(0);
  return {};
}

Awaitable<core::Status> Scrub::run() {
  GW_CO_CHECK(recall());
  GW_CO_CHECK(co_await mend_noted());
  if (!std::exchange(counted_, true)) GW_CO_CHECK(co_await look_for_lost_files());
  if (setting_.bytes_per_s > 0 && !progress_.running()) {
    const auto last = core::parse_instant(progress_.started_at);
    const core::Wall now = setting_.clock.wall();
    // A clock set back begins a round too soon rather than never.
    if (!last || now - *last >= setting_.round_every || now < *last) {
      progress_.started_at = core::to_instant(now);
      progress_.finished_at.clear();
      progress_.after_row = progress_.objects = progress_.bytes = 0;
      progress_.damaged = progress_.repaired = 0;
      GW_CO_CHECK(save());
    }
  }
  if (setting_.bytes_per_s > 0 && progress_.running()) {
    GW_CO_CHECK(co_await read_objects());
    if (!setting_.stopping()) GW_CO_CHECK(co_await check_database());
  }
  GW_CO_CHECK(count_damage());
  step_();
  co_return core::Status();
}

Awaitable<core::Result<bool>> Scrub::mend(const DamagedObject& noted) {
  const Held object{noted.row, noted.object_id, noted.size};
  const core::Status read = co_await read_chunks(object);
  if (setting_.stopping()) co_return false;  // perhaps not read to its end
  if (read.ok()) {
    GW_CO_CHECK(note_sound(*setting_.holdings, setting_.clock, noted));
    co_return true;
  }
  co_return co_await replace_damaged(setting_.holdings, setting_.pacs, setting_.clock, noted);
}

Awaitable<core::Status> Scrub::mend_noted() {
  for (std::int64_t after = 0; !setting_.stopping();) {
    GW_CO_TRY(const auto noted,
              setting_.holdings->database().read_value<std::vector<DamagedObject>>(
                  [after](Connection& connection) {
                    return damaged_objects(connection, after, kListed);
                  }));
    if (noted.empty()) break;
    for (const DamagedObject& damaged : noted) {
      if (setting_.stopping()) break;
      GW_CO_TRY(const bool mended, co_await mend(damaged));
      if (mended) ++progress_.repaired;
      after = damaged.row;
    }
  }
  GW_CO_CHECK(count_damage());
  step_();
  co_return core::Status();
}

core::Result<std::vector<Scrub::Held>> Scrub::held_after(std::int64_t row) {
  return setting_.holdings->database().read_value<std::vector<Held>>(
      [row](Connection& connection) -> core::Result<std::vector<Held>> {
        GW_TRY(auto rows, connection.query("SELECT row, object_id, size FROM dicom_instance"
                                           " WHERE row > ? AND state = 'held' ORDER BY row"
                                           " LIMIT ?",
                                           row, kListed));
        std::vector<Held> list;
        while (true) {
          GW_TRY(const bool more, rows.next());
          if (!more) return list;
          list.push_back({rows.integer(0), std::string(rows.text(1)),
                          static_cast<std::uint64_t>(rows.integer(2))});
        }
      });
}

/// A folder that went while the gateway was off must not wait for the next round. Counting is
/// cheap; which ones are missing is asked only where there are too few.
Awaitable<core::Status> Scrub::look_for_lost_files() {
  Holdings& holdings = *setting_.holdings;
  std::int64_t files = 0;
  const auto count = [&](const std::string&) -> core::Status {
    ++files;
    return {};
  };
  GW_CO_CHECK(holdings.objects().each(count));
  GW_CO_TRY(const auto rows,
            holdings.database().read_value<std::optional<std::int64_t>>([](Connection& connection) {
              return connection.integer(
                  "SELECT (SELECT count(*) FROM dicom_instance WHERE state = 'held')"
                  " + (SELECT count(*) FROM upload_part)");
            }));
  if (files >= rows.value_or(0)) co_return core::Status();
  for (std::int64_t after = 0; !setting_.stopping();) {
    GW_CO_TRY(const auto held, held_after(after));
    if (held.empty()) break;
    for (const Held& object : held) {
      if (setting_.stopping()) break;
      after = object.row;
      const auto opened = holdings.objects().open_object(object.object_id);
      if (!opened.ok() && opened.error().code() == core::Code::not_found)
        GW_CO_CHECK(co_await read_object(object));
    }
  }
  step_();
  co_return core::Status();
}

Awaitable<core::Status> Scrub::read_objects() {
  std::int64_t unsaved = 0;
  while (!setting_.stopping()) {
    GW_CO_TRY(const auto held, held_after(progress_.after_row));
    if (held.empty()) break;
    for (const Held& object : held) {
      if (setting_.stopping()) break;
      GW_CO_CHECK(co_await read_object(object));
      if (setting_.stopping()) break;  // perhaps not read to its end
      progress_.after_row = object.row;
      ++progress_.objects;
      step_();
      if (++unsaved < kSavedEvery) continue;
      GW_CO_CHECK(save());
      unsaved = 0;
    }
  }
  GW_CO_CHECK(save());
  co_return core::Status();
}

Awaitable<core::Status> Scrub::read_object(const Held& object) {
  core::Status read = co_await read_chunks(object);
  // A drive may give on the second try what it refused on the first.
  if (!read.ok() && read.error().code() == core::Code::io) read = co_await read_chunks(object);
  if (read.ok()) co_return core::Status();
  if (!is_damage(read.error().code())) co_return read.error();
  // Evicted or replaced while it was read: nothing is wrong.
  GW_CO_TRY(const auto still,
            setting_.holdings->database().read_value<std::optional<std::int64_t>>(
                [&](Connection& connection) {
                  return connection.integer(
                      "SELECT 1 FROM dicom_instance WHERE row = ? AND object_id = ?"
                      " AND state = 'held'",
                      object.row, object.object_id);
                }));
  if (!still) co_return core::Status();
  ++progress_.damaged;
  DamagedObject damaged{object.row, object.object_id, read.error().message(), object.size};
  GW_CO_TRY(const bool mended, co_await replace_damaged(setting_.holdings, setting_.pacs,
                                                        setting_.clock, std::move(damaged)));
  if (mended) ++progress_.repaired;
  co_return count_damage();
}

Awaitable<core::Status> Scrub::read_chunks(const Held& object) {
  GW_CO_TRY(const auto reader, setting_.holdings->objects().open_object(object.object_id));
  if (reader->size() != object.size) {
    co_return core::Error(core::Code::corrupt,
                          core::cat("object ", object.object_id, " has ", reader->size(),
                                    " bytes instead of ", object.size));
  }
  std::vector<std::byte> piece(kPiece);
  for (std::uint64_t at = 0; at < object.size && !setting_.stopping();) {
    GW_CO_TRY(const std::size_t got, reader->read(at, piece));
    if (got == 0) co_return core::Error(core::Code::corrupt, "an object ends before its size");
    at += got;
    progress_.bytes += static_cast<std::int64_t>(got);
    co_await pay(got);
  }
  co_return core::Status();
}

std::chrono::microseconds Scrub::price_of(std::uint64_t bytes) const {
  return std::chrono::microseconds(bytes * 1'000'000 / setting_.bytes_per_s);
}

/// Waits so long that on average no more than the allowed bytes are read.
Awaitable<void> Scrub::pay(std::uint64_t bytes) {
  if (setting_.bytes_per_s == 0) co_return;  // no round, and what is noted is little
  const auto now = setting_.clock.monotonic();
  paid_until_ = std::max(paid_until_, now) + price_of(bytes);
  if (paid_until_ - now < kPauseMin) co_return;
  pause_.expires_at(paid_until_);
  co_await pause_.async_wait(asio::as_tuple(asio::use_awaitable));
}

/// The rest of the upkeep goes on meanwhile.
Awaitable<core::Result<std::vector<std::string>>> Scrub::look_at_database() {
  core::Monotonic paid_until = setting_.clock.monotonic();
  crypto::Database& database = setting_.holdings->database();
  const auto pace = [&](std::uint64_t bytes) {
    const auto now = setting_.clock.monotonic();
    paid_until = std::max(paid_until, now) + price_of(bytes);
    // In pieces, so that a stop does not wait.
    while (!setting_.stopping() && database.wal_pages() < kWalPagesMax &&
           paid_until - setting_.clock.monotonic() >= kPauseMin)
      std::this_thread::sleep_for(kPauseMin);
    return !setting_.stopping();
  };
  auto looking =
      std::async(std::launch::async, [&] { return setting_.holdings->check_database(pace); });
  while (looking.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    pause_.expires_after(kPauseMin);
    co_await pause_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  co_return looking.get();
}

Awaitable<core::Status> Scrub::check_database() {
  Holdings& holdings = *setting_.holdings;
  // Only what is in the main file is authenticated.
  for (int attempt = 0; attempt < kTruncateAttempts && !setting_.stopping(); ++attempt) {
    GW_CO_TRY(const bool truncated, holdings.database().truncate_wal());
    if (truncated) break;
    pause_.expires_after(kTruncateAgain);
    co_await pause_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  if (setting_.stopping()) co_return core::Status();
  const auto looked = co_await look_at_database();
  if (!looked.ok() && looked.error().code() == core::Code::cancelled) co_return core::Status();
  if (!looked.ok()) co_return looked.error();
  const auto& findings = *looked;
  progress_.database_damage.clear();
  for (const std::string& finding : findings) {
    core::log_error("scrub", core::cat("the database is damaged: ", finding));
    if (progress_.database_damage.empty()) progress_.database_damage = finding;
  }
  progress_.database_checked_at = core::to_instant(setting_.clock.wall());
  progress_.finished_at = progress_.database_checked_at;
  core::log_info("scrub", core::cat("read ", progress_.objects,
                                    " objects and the database: ", progress_.damaged,
                                    " objects damaged, ", progress_.repaired, " of them replaced, ",
                                    findings.size(), " findings in the database"));
  const core::Status saved = save();
  // A page that was found damaged may be the one that is to be written.
  if (!findings.empty()) setting_.database_damaged(progress_.database_damage);
  co_return saved;
}

}  // namespace gateway::sync
