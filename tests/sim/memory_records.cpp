#include "tests/sim/memory_records.h"

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "core/text.h"
#include "crypto/migrations.h"
#include "crypto/schema.h"
#include "sync/migrations.h"

namespace gateway::sim {
namespace {

constexpr auto kOverlap = std::chrono::minutes(5);

void must(const core::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "sim: %s\n", status.error().message().c_str());
  std::abort();
}

struct Cursor {
  std::string uplink, query, since;
  bool operator==(const Cursor&) const = default;
};

std::vector<Cursor> cursors(crypto::Connection& connection) {
  std::vector<Cursor> found;
  auto rows = connection.query("SELECT uplink, query, since FROM pull_cursor");
  if (!rows.ok()) return found;
  while (true) {
    auto more = rows->next();
    if (!more.ok() || !*more) return found;
    found.push_back(
        {std::string(rows->text(0)), std::string(rows->text(1)), std::string(rows->text(2))});
  }
}

core::Status put_cursor(crypto::Connection& connection, const Cursor& cursor) {
  return connection.run(
      "INSERT OR REPLACE INTO pull_cursor (uplink, query, since) VALUES (?, ?, ?)", cursor.uplink,
      cursor.query, cursor.since);
}

}  // namespace

MemoryRecords::MemoryRecords() {
  const auto key = crypto::Secret::copy_of(std::string(32, 'k'));
  auto opened = crypto::SqliteConnection::open(core::system_files(), ":memory:", key,
                                               crypto::SqliteConnection::Role::copy);
  if (!opened.ok()) must(std::move(opened).error());
  connection_ = std::move(*opened);
  must(connection_->run_script("PRAGMA journal_mode = MEMORY;"));
  std::vector<crypto::Migration> all;
  for (const auto& migration : crypto::migrations()) all.push_back(migration);
  for (const auto& migration : sync::migrations()) all.push_back(migration);
  must(crypto::migrate(*connection_, all));
  reset();
}

void MemoryRecords::reset() {
  if (begun_) must(connection_->run("ROLLBACK"));
  must(connection_->run("BEGIN IMMEDIATE"));
  begun_ = true;
}

core::Status MemoryRecords::apply(const crypto::Change& change) {
  GW_CHECK(connection_->run("SAVEPOINT change"));
  core::Status status = change(*connection_);
  if (!status.ok()) GW_CHECK(connection_->run("ROLLBACK TO change"));
  GW_CHECK(connection_->run("RELEASE change"));
  return status;
}

void LivingDatabase::write_async(crypto::Change change, crypto::Committed committed) {
  if (!life_->step()) return;
  time_.after(core::Milliseconds(chance_.between(0, 3)),
              [this, life = life_, change = std::move(change), committed = std::move(committed)] {
                if (!life->step()) return;
                if (is_on(Mutation::cursor_before_commit) && commit_cursor_alone(change)) {
                  time_.after(core::Milliseconds(1), [this, life, change, committed] {
                    if (life->step()) commit(change, committed);
                  });
                  return;
                }
                commit(change, committed);
              });
}

void LivingDatabase::commit(const crypto::Change& change, const crypto::Committed& committed) {
  const bool watches = is_on(Mutation::wall_clock_for_order);
  const auto before = watches ? cursors(records_.connection()) : std::vector<Cursor>();
  core::Status status = records_.apply(change);
  if (watches) {
    const std::string since = core::to_instant(clock_.wall() - kOverlap);
    for (Cursor& cursor : cursors(records_.connection())) {
      if (std::find(before.begin(), before.end(), cursor) != before.end()) continue;
      cursor.since = since;
      must(put_cursor(records_.connection(), cursor));
    }
  }
  if (life_->step()) committed(std::move(status));
}

bool LivingDatabase::commit_cursor_alone(const crypto::Change& change) {
  crypto::Connection& connection = records_.connection();
  const auto before = cursors(connection);
  must(connection.run("SAVEPOINT early"));
  const core::Status status = change(connection);
  const auto after = cursors(connection);
  must(connection.run("ROLLBACK TO early"));
  must(connection.run("RELEASE early"));
  if (!status.ok() || after == before) return false;
  for (const Cursor& cursor : after) must(put_cursor(connection, cursor));
  return true;
}

}  // namespace gateway::sim
