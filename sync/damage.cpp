#include "sync/damage.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/log.h"
#include "core/text.h"
#include "sync/fetched_mark.h"
#include "sync/patient_trail.h"
#include "sync/shredding.h"
#include "sync/wado.h"

namespace gateway::sync {
namespace {

using core::Json;
using core::net::Awaitable;
using crypto::Connection;

constexpr char kOtherBytes[] = "the PACS has it with other bytes";
constexpr std::uint64_t kComparedAtOnce = 64U << 10;

struct Wanted {
  InstanceName name;
  std::string transfer_syntax_uid;
  std::uint64_t data_set_offset = 0;
  std::uint64_t data_set_bytes = 0;
  std::string digest;
  bool is_fetched = false;  // a prior, whose object says so
  std::vector<std::string> uplinks;
};

core::Result<std::optional<Wanted>> load(Connection& connection, const DamagedObject& damaged) {
  Wanted wanted;
  {
    GW_TRY(auto rows,
           connection.query("SELECT study_uid, series_uid, sop_instance_uid, transfer_syntax_uid,"
                            " size - data_set_offset, digest, data_set_offset,"
                            " fetched_from <> '' FROM dicom_instance"
                            " WHERE row = ? AND object_id = ? AND state <> 'evicted'",
                            damaged.row, damaged.object_id));
    GW_TRY(const bool found, rows.next());
    if (!found) return std::optional<Wanted>();
    wanted.name = {std::string(rows.text(0)), std::string(rows.text(1)), std::string(rows.text(2))};
    wanted.transfer_syntax_uid = rows.text(3);
    wanted.data_set_bytes = static_cast<std::uint64_t>(rows.integer(4));
    wanted.digest = rows.text(5);
    wanted.data_set_offset = static_cast<std::uint64_t>(rows.integer(6));
    wanted.is_fetched = rows.integer(7) != 0;
  }
  GW_TRY(auto rows,
         connection.query("SELECT uplink FROM dicom_delivery WHERE instance = ?", damaged.row));
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return std::optional(std::move(wanted));
    wanted.uplinks.emplace_back(rows.text(0));
  }
}

core::Status compare(const Wanted& wanted, const FetchedInstance& fetched) {
  const bool same = fetched.head.transfer_syntax_uid == wanted.transfer_syntax_uid &&
                    fetched.data_set_bytes == wanted.data_set_bytes &&
                    (wanted.digest.empty() || fetched.data_set_digest == wanted.digest);
  if (same) return {};
  return core::Error(core::Code::invalid, kOtherBytes);
}

/// Of an object that cannot be opened and no digest is known of.
core::Status may_be_replaced(Holdings& holdings, const core::Error& why) {
  if (why.code() == core::Code::io)
    return core::Error(core::Code::invalid, "the drive does not give it, and it may again");
  // It may be sound, and opens once the key's file is put back.
  if (why.code() == core::Code::corrupt && !holdings.keyring().lost_epochs().empty())
    return core::Error(core::Code::invalid, "the key of an epoch is lost; put its file back first");
  return {};
}

/// What of the damaged object can still be read must be in the copy, where the digest is not known.
core::Status compare_readable(Holdings& holdings, const Wanted& wanted, const std::string& damaged,
                              const std::string& copy, std::uint64_t copy_offset) {
  auto ours = holdings.objects().open_object(damaged);
  if (!ours.ok()) return may_be_replaced(holdings, ours.error());
  GW_TRY(const auto theirs, holdings.objects().open_object(copy));
  std::vector<std::byte> left(kComparedAtOnce);
  std::vector<std::byte> right(kComparedAtOnce);
  for (std::uint64_t at = 0; at < wanted.data_set_bytes; at += kComparedAtOnce) {
    const auto size =
        static_cast<std::size_t>(std::min(kComparedAtOnce, wanted.data_set_bytes - at));
    const auto got = (*ours)->read(wanted.data_set_offset + at, std::span(left).first(size));
    if (!got.ok()) continue;
    GW_TRY(const std::size_t copied, theirs->read(copy_offset + at, std::span(right).first(size)));
    if (*got != copied ||
        !std::ranges::equal(std::span(left).first(*got), std::span(right).first(copied))) {
      return core::Error(core::Code::invalid, kOtherBytes);
    }
  }
  return {};
}

/// Of an instance whose object is whole now.
core::Status note_mended(Connection& connection, Holdings& holdings, const core::Clock& clock,
                         const DamagedObject& mended, const char* outcome) {
  GW_CHECK(connection.run("DELETE FROM object_damage WHERE instance = ?", mended.row));
  GW_TRY(const auto study_uid,
         connection.text("SELECT study_uid FROM dicom_instance WHERE row = ?", mended.row));
  GW_TRY(const TrailedStudy study, trail_study(connection, study_uid.value_or("")));
  return holdings.audit().append(connection, {.at = clock.wall(),
                                              .actor = "scrub",
                                              .action = "restore",
                                              .resource = study.resource,
                                              .patient = study.patient,
                                              .source = "local",
                                              .outcome = outcome});
}

core::Status put_in_place(Holdings& holdings, const core::Clock& clock,
                          const DamagedObject& damaged, const crypto::SealedObject& fresh,
                          const FetchedInstance& fetched, bool is_proven) {
  return holdings.database().write([&](Connection& connection) -> core::Status {
    GW_CHECK(
        connection.run("UPDATE dicom_instance SET object_id = ?, size = ?,"
                       " data_set_offset = ?, digest = ?, state = 'held'"
                       " WHERE row = ? AND object_id = ? AND state <> 'evicted'",
                       fresh.id, fresh.size, fetched.head.data_set_offset, fetched.data_set_digest,
                       damaged.row, damaged.object_id));
    // Evicted or replaced meanwhile: then the fresh one is not wanted.
    const bool replaced = connection.changes() > 0;
    GW_CHECK(doom_object(connection, replaced ? damaged.object_id : fresh.id));
    return note_mended(
        connection, holdings, clock, damaged,
        is_proven ? "damaged, fetched again" : "damaged, fetched again; no digest was known");
  });
}

Awaitable<core::Status> fetch_from(std::shared_ptr<Holdings> holdings, PacsClients& pacs,
                                   const core::Clock& clock, const DamagedObject& damaged,
                                   const Wanted& wanted, const std::string& uplink) {
  GW_CO_TRY(auto client, pacs.get(uplink));
  GW_CO_TRY(std::unique_ptr<crypto::SealedWriter> writer, holdings->objects().create());
  MarkedWriter marked(*writer, uplink);
  TakeBytes take = [&](std::span<const std::byte> bytes) {
    return wanted.is_fetched ? marked.append(bytes) : writer->append(bytes);
  };
  const auto fetched = co_await fetch_instance(std::move(client), wanted.name, std::move(take));
  if (!fetched.ok()) co_return fetched.error();
  GW_CO_CHECK(compare(wanted, *fetched));
  GW_CO_TRY(const crypto::SealedObject fresh, writer->finish());
  if (wanted.digest.empty()) {
    const core::Status same = compare_readable(*holdings, wanted, damaged.object_id, fresh.id,
                                               fetched->head.data_set_offset);
    if (!same.ok()) {
      const crypto::Change doom = [&](Connection& connection) {
        return doom_object(connection, fresh.id);
      };
      GW_CO_CHECK(holdings->database().write(doom));
      co_return same;
    }
  }
  GW_CO_CHECK(put_in_place(*holdings, clock, damaged, fresh, *fetched, !wanted.digest.empty()));
  if (const auto settled = holdings->objects().settle(fresh.id); !settled.ok())
    core::log_warn("scrub", settled.error().message());
  co_return core::Status();
}

core::Status note_damage(Holdings& holdings, const core::Clock& clock, const DamagedObject& damaged,
                         const std::string& why_not) {
  return holdings.database().write([&](Connection& connection) -> core::Status {
    GW_CHECK(
        connection.run("UPDATE dicom_instance SET state = 'damaged'"
                       " WHERE row = ? AND object_id = ? AND state <> 'evicted'",
                       damaged.row, damaged.object_id));
    if (connection.changes() == 0) return {};
    return connection.run(
        "INSERT INTO object_damage (instance, what, found_at, fetched) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (instance) DO UPDATE SET fetched = excluded.fetched",
        damaged.row, damaged.what, core::to_instant(clock.wall()), why_not);
  });
}

}  // namespace

Awaitable<core::Result<bool>> replace_damaged(std::shared_ptr<Holdings> holdings, PacsClients& pacs,
                                              const core::Clock& clock, DamagedObject damaged) {
  auto loaded = holdings->database().read_value<std::optional<Wanted>>(
      [&](Connection& connection) { return load(connection, damaged); });
  if (!loaded.ok()) co_return std::move(loaded).error();
  if (!*loaded) co_return true;
  const Wanted wanted = std::move(**loaded);
  std::string why_not = "no PACS has confirmed it";
  for (const std::string& uplink : wanted.uplinks) {
    const core::Status fetched =
        co_await fetch_from(holdings, pacs, clock, damaged, wanted, uplink);
    if (fetched.ok()) {
      core::log_info("scrub", core::cat("object ", damaged.object_id,
                                        " was damaged and is replaced from uplink ", uplink));
      co_return true;
    }
    if (fetched.error().code() == core::Code::cancelled) co_return fetched.error();
    why_not = core::cat("uplink ", uplink, ": ", fetched.error().message());
  }
  core::log_error("scrub", core::cat("object ", damaged.object_id, " is damaged (", damaged.what,
                                     ") and could not be fetched again: ", why_not));
  GW_CO_CHECK(note_damage(*holdings, clock, damaged, why_not));
  co_return false;
}

core::Status note_sound(Holdings& holdings, const core::Clock& clock, const DamagedObject& sound) {
  return holdings.database().write([&](Connection& connection) -> core::Status {
    GW_CHECK(
        connection.run("UPDATE dicom_instance SET state = 'held'"
                       " WHERE row = ? AND object_id = ? AND state = 'damaged'",
                       sound.row, sound.object_id));
    if (connection.changes() == 0) return {};
    return note_mended(connection, holdings, clock, sound, "it can be read again");
  });
}

core::Result<std::vector<DamagedObject>> damaged_objects(Connection& connection,
                                                         std::int64_t after_row, int limit) {
  GW_TRY(auto rows,
         connection.query("SELECT d.instance, i.object_id, d.what, i.size FROM object_damage d"
                          " JOIN dicom_instance i ON i.row = d.instance"
                          " WHERE d.instance > ? ORDER BY d.instance LIMIT ?",
                          after_row, limit));
  std::vector<DamagedObject> list;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return list;
    list.push_back({rows.integer(0), std::string(rows.text(1)), std::string(rows.text(2)),
                    static_cast<std::uint64_t>(rows.integer(3))});
  }
}

core::Result<Json> damage_report(Connection& connection, std::int64_t limit) {
  GW_TRY(auto rows,
         connection.query("SELECT i.sop_instance_uid, i.study_uid, i.object_id, d.what,"
                          " d.found_at, d.fetched FROM object_damage d"
                          " JOIN dicom_instance i ON i.row = d.instance ORDER BY d.instance"
                          " LIMIT ?",
                          limit));
  Json list = Json::array();
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return list;
    list.add(Json::object({{"sop_instance_uid", rows.text(0)},
                           {"study_uid", rows.text(1)},
                           {"object_id", rows.text(2)},
                           {"damage", rows.text(3)},
                           {"found_at", rows.text(4)},
                           {"fetched", rows.text(5)}}));
  }
}

}  // namespace gateway::sync
