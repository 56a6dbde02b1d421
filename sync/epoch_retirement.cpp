#include "sync/epoch_retirement.h"

#include <optional>
#include <string>

#include "core/civil_time.h"
#include "core/log.h"
#include "core/text.h"
#include "crypto/epoch_rotation.h"
#include "sync/shredding.h"

namespace gateway::sync {
namespace {

using crypto::Connection;

// The upkeep thread has other things to do than to wait for a slow sender.
constexpr core::Milliseconds kSenderPatience{2'000};

/// What was shredded so far lay under the current epoch or an older one.
core::Status note_beginning(Holdings& holdings) {
  GW_TRY(const std::uint32_t epoch, holdings.keyring().current_epoch());
  return holdings.database().write([epoch](Connection& connection) {
    return connection.run("UPDATE shredded SET covered = objects, last_epoch = ?", epoch);
  });
}

/// Forgets what a retirement has covered, whoever ended it. What was shredded after its beginning
/// may lie under the new epoch: it waits for the next one.
core::Status forget_covered(Holdings& holdings, core::Wall now) {
  GW_TRY(const auto last_epoch,
         holdings.database().read_value<std::optional<std::int64_t>>([](Connection& connection) {
           return connection.integer("SELECT last_epoch FROM shredded WHERE covered > 0");
         }));
  if (!last_epoch) return {};
  GW_TRY(const auto epochs, holdings.keyring().epochs());
  if (epochs.empty() || epochs.front() <= *last_epoch) return {};
  return holdings.database().write([now](Connection& connection) -> core::Status {
    GW_CHECK(connection.run("DELETE FROM shredded WHERE objects <= covered"));
    return connection.run("UPDATE shredded SET since = ?, objects = objects - covered, covered = 0",
                          core::to_instant(now));
  });
}

core::Status record(Holdings& holdings, Connection& connection, core::Wall now) {
  return holdings.audit().append(connection, {.at = now,
                                              .actor = "retention",
                                              .action = "rotate",
                                              .resource = "key/epoch",
                                              .patient = "",
                                              .source = "local",
                                              .outcome = "success"});
}

}  // namespace

core::Status note_shredded(Connection& connection, core::Wall now, std::size_t objects) {
  return connection.run(
      "INSERT INTO shredded (id, since, objects) VALUES (1, ?, ?)"
      " ON CONFLICT (id) DO UPDATE SET objects = objects + excluded.objects",
      core::to_instant(now), static_cast<std::int64_t>(objects));
}

core::Result<bool> is_retirement_due(Holdings& holdings, core::Files& files,
                                     const core::Clock& clock, core::Milliseconds after) {
  GW_TRY(const bool unfinished,
         crypto::epoch_rotation_unfinished(files, holdings.options().state_folder));
  if (unfinished) return true;
  GW_CHECK(forget_covered(holdings, clock.wall()));
  GW_TRY(const auto since,
         holdings.database().read_value<std::optional<std::string>>(
             [](Connection& connection) { return connection.text("SELECT since FROM shredded"); }));
  if (!since) return false;
  const auto then = core::parse_instant(*since);
  const core::Wall now = clock.wall();
  return !then || now - *then >= after || now < *then;
}

core::Status retire_epochs(Holdings& holdings, core::Files& files, const core::Clock& clock,
                           const std::function<bool()>& stopping) {
  GW_CHECK(shred_doomed(holdings.database(), holdings.objects(), clock, stopping));
  const std::string& folder = holdings.options().state_folder;
  GW_TRY(const bool unfinished, crypto::epoch_rotation_unfinished(files, folder));
  if (!unfinished) GW_CHECK(note_beginning(holdings));
  const auto retired =
      unfinished ? crypto::finish_epoch_rotation(files, folder, holdings.keyring(),
                                                 holdings.objects(), kSenderPatience, stopping)
                 : crypto::rotate_epochs(files, folder, holdings.keyring(), holdings.objects(),
                                         kSenderPatience, stopping);
  if (!retired.ok()) return retired.error();
  const bool was_done_already = retired->current == 0;
  if (!was_done_already) {
    core::log_info("retention", core::cat("epoch ", retired->current, " is in use, ",
                                          retired->retired.size(), " older ones are destroyed; ",
                                          retired->objects.rewrapped, " objects moved"));
  }
  GW_CHECK(holdings.database().write(
      [&](Connection& connection) { return record(holdings, connection, clock.wall()); }));
  return forget_covered(holdings, clock.wall());
}

}  // namespace gateway::sync
