#include "sync/shredding.h"

#include <string>
#include <vector>

#include "sync/epoch_retirement.h"

namespace gateway::sync {
namespace {

constexpr int kGroup = 32;

core::Result<std::vector<std::string>> doomed_objects(crypto::Connection& connection,
                                                      const std::string& after) {
  GW_TRY(auto rows, connection.query("SELECT object_id FROM object_doomed WHERE object_id > ?"
                                     " ORDER BY object_id LIMIT ?",
                                     after, kGroup));
  std::vector<std::string> ids;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return ids;
    ids.emplace_back(rows.text(0));
  }
}

}  // namespace

core::Status doom_object(crypto::Connection& connection, std::string_view object_id) {
  return connection.run("INSERT OR IGNORE INTO object_doomed (object_id) VALUES (?)", object_id);
}

core::Result<std::uint64_t> shred_doomed(crypto::Database& database, crypto::ObjectStore& objects,
                                         const core::Clock& clock,
                                         const std::function<bool()>& stopping) {
  std::uint64_t shredded = 0;
  core::Status failed;
  std::string last;
  while (!stopping()) {
    GW_TRY(const auto ids,
           database.read_value<std::vector<std::string>>([&last](crypto::Connection& connection) {
             return doomed_objects(connection, last);
           }));
    if (ids.empty()) break;
    last = ids.back();
    std::vector<std::string> gone;
    for (const std::string& id : ids) {
      auto done = objects.shred(id);
      if (done.ok() || done.error().code() == core::Code::not_found) {
        gone.push_back(id);
      } else if (failed.ok()) {
        failed = std::move(done);
      }
    }
    if (gone.empty()) continue;
    GW_CHECK(database.write([&](crypto::Connection& connection) -> core::Status {
      for (const std::string& id : gone) {
        auto forgotten = connection.run("DELETE FROM object_doomed WHERE object_id = ?", id);
        if (!forgotten.ok()) return forgotten;
      }
      return note_shredded(connection, clock.wall(), gone.size());
    }));
    shredded += gone.size();
  }
  if (!failed.ok()) return std::move(failed).error().with_context("an image could not be shredded");
  return shredded;
}

}  // namespace gateway::sync
