#include "sync/rebuild.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "core/file_steps.h"
#include "core/log.h"
#include "core/text.h"
#include "crypto/octets.h"
#include "sync/holdings.h"
#include "sync/sealed_instance.h"
#include "sync/shredding.h"
#include "sync/upload_rows.h"
#include "sync/worklist.h"

namespace gateway::sync {
namespace {

using crypto::Connection;

constexpr std::uint64_t kSaidEvery = 1'000;

std::string mark_path(const std::string& state_folder) { return state_folder + "/rebuild-index"; }

/// A UUIDv7 begins with the milliseconds at which it was made. Names are made a few ahead: the
/// object came then or later.
std::string made_at(const std::string& uuid) {
  const std::string digits = uuid.substr(0, 8) + uuid.substr(9, 4);
  std::int64_t milliseconds = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), milliseconds, 16);
  return core::to_instant(core::Wall(core::Milliseconds(milliseconds)));
}

core::Result<bool> is_known(crypto::Database& database, const std::string& id) {
  return database.read_value<bool>([&](Connection& connection) -> core::Result<bool> {
    GW_TRY(const auto known,
           connection.integer("SELECT 1 FROM dicom_instance WHERE object_id = ?1 UNION ALL"
                              " SELECT 1 FROM object_doomed WHERE object_id = ?1",
                              id));
    return known.has_value();
  });
}

struct Counts {
  std::uint64_t adopted = 0;
  std::uint64_t repeated = 0;
  std::uint64_t unreadable = 0;
};

/// Also of those that never left `incoming/`: the sweep takes what lies there without a row.
void put_in_place(Holdings& holdings, const std::string& id) {
  const auto settled = holdings.objects().settle(id);
  if (!settled.ok() && settled.error().code() != core::Code::not_found) {
    core::log_warn("repair", settled.error().message());
  }
}

/// The disk may give it another time, or its epoch's key be put back: its sender has its answer.
bool may_be_whole(Holdings& holdings, const core::Error& error) {
  return error.code() == core::Code::io || !holdings.keyring().lost_epochs().empty();
}

core::Status doom(Holdings& holdings, const std::string& id) {
  return holdings.database().write(
      [&](Connection& connection) { return doom_object(connection, id); });
}

/// Of an upload that nobody knows of any more: who sends it begins anew.
core::Result<bool> is_part_of_upload(Holdings& holdings, const std::string& id) {
  GW_TRY(const auto reader, holdings.objects().open_object(id));
  std::array<std::byte, kPartMark.size()> start{};
  GW_TRY(const std::size_t got, reader->read(0, start));
  return crypto::as_text(std::span(start).first(got)) == kPartMark;
}

core::Status adopt_object(Holdings& holdings, const std::string& id, Counts& counts) {
  GW_TRY(const bool known, is_known(holdings.database(), id));
  if (known) return {};
  if (const auto is_part = is_part_of_upload(holdings, id); is_part.ok() && *is_part)
    return doom(holdings, id);
  auto instance = core::try_twice([&] { return read_sealed_instance(holdings, id); });
  if (!instance.ok()) {
    ++counts.unreadable;
    core::log_error(
        "repair", core::cat("object ", id, " cannot be taken back: ", instance.error().message()));
    if (may_be_whole(holdings, instance.error())) put_in_place(holdings, id);
    return {};
  }
  GW_TRY(const StoreOutcome outcome, holdings.ingest().adopt(std::move(*instance), made_at(id)));
  if (outcome == StoreOutcome::repeated) {
    // Sent twice, and removed as a repeat just when the power went.
    ++counts.repeated;
    return doom(holdings, id);
  }
  ++counts.adopted;
  put_in_place(holdings, id);
  return {};
}

}  // namespace

core::Status want_rebuild(core::Files& files, const std::string& state_folder) {
  return core::write_file_durably(files, mark_path(state_folder), "");
}

core::Result<bool> is_rebuild_wanted(core::Files& files, const std::string& state_folder) {
  return files.exists(mark_path(state_folder));
}

core::Status forget_rebuild(core::Files& files, const std::string& state_folder) {
  GW_CHECK(files.remove(mark_path(state_folder)));
  return files.sync_folder(state_folder);
}

core::Status rebuild_index(Holdings& holdings, const core::Clock& clock, const std::string& actor) {
  GW_TRY(const auto ids, holdings.objects().list_all());
  core::log_info("repair", core::cat("rebuilding the index from ", ids.size(), " sealed objects"));
  Counts counts;
  std::uint64_t done = 0;
  for (const std::string& id : ids) {
    GW_CHECK(adopt_object(holdings, id, counts));
    if (++done % kSaidEvery == 0)
      core::log_info("repair", core::cat(done, " of ", ids.size(), " objects read"));
  }
  const auto record = [&](Connection& connection) -> core::Status {
    GW_CHECK(skip_given_numbers(connection, clock.wall()));
    return holdings.audit().append(
        connection,
        {.at = clock.wall(),
         .actor = actor,
         .action = "rebuild-index",
         .resource = "gateway",
         .patient = "",
         .source = "local",
         .outcome = core::cat(counts.adopted, " instances, ", counts.unreadable, " unreadable")});
  };
  GW_CHECK(holdings.database().write(record));
  core::log_info("repair", core::cat("the index is rebuilt: ", counts.adopted,
                                     " instances taken back, ", counts.repeated, " repeats, ",
                                     counts.unreadable, " objects could not be read"));
  return {};
}

}  // namespace gateway::sync
