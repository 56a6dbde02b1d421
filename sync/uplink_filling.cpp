#include "sync/uplink_filling.h"

#include <algorithm>
#include <optional>

#include "core/log.h"
#include "core/text.h"
#include "sync/instance_row.h"
#include "sync/outbox.h"
#include "sync/performed_step.h"
#include "sync/replica.h"
#include "sync/routes.h"

namespace gateway::sync {
namespace {

using crypto::Connection;

constexpr int kStep = 1'000;  // rows looked at in one transaction

core::Result<std::vector<std::string>> filled_uplinks(crypto::Database& database) {
  return database.read_value<std::vector<std::string>>(
      [](Connection& connection) -> core::Result<std::vector<std::string>> {
        GW_TRY(auto rows, connection.query("SELECT uplink FROM filled_uplink"));
        std::vector<std::string> names;
        while (true) {
          GW_TRY(const bool more, rows.next());
          if (!more) return names;
          names.emplace_back(rows.text(0));
        }
      });
}

/// Ascending. The outbox has no index by instance: eight bytes each are cheaper than one.
core::Result<std::vector<std::int64_t>> queued_instances(crypto::Database& database,
                                                         const std::string& uplink) {
  return database.read_value<std::vector<std::int64_t>>(
      [&](Connection& connection) -> core::Result<std::vector<std::int64_t>> {
        std::vector<std::int64_t> queued;
        {
          GW_TRY(auto rows, connection.query("SELECT CAST(subject AS INTEGER) FROM outbox"
                                             " WHERE uplink = ? AND kind = 'instance'",
                                             uplink));
          while (true) {
            GW_TRY(const bool more, rows.next());
            if (!more) break;
            queued.push_back(rows.integer(0));
          }
        }
        std::sort(queued.begin(), queued.end());
        return queued;
      });
}

/// What one step came to.
struct Step {
  bool is_last = false;
  std::int64_t queued = 0;
};

/// Its walk over the instances held, by row.
class InstanceWalk {
 public:
  InstanceWalk(std::string uplink, std::vector<std::int64_t> queued, std::string_view now)
      : uplink_(std::move(uplink)), queued_(std::move(queued)), now_(now) {}

  core::Result<Step> step(Connection& connection) {
    struct Found {
      QueuedInstance instance;
      std::string study_uid;
    };
    std::vector<Found> missing;
    Step step{true, 0};
    {
      static const std::string missing_rows = core::cat(
          "SELECT i.row, i.size, i.copy, i.study_uid, i.state <> 'evicted' AND i.rejection <> 1"
          " AND NOT EXISTS"
          " (SELECT 1 FROM dicom_delivery d WHERE d.instance = i.row AND d.uplink = ?)"
          " AND ",
          kGoesTo, " FROM dicom_instance i WHERE i.row > ? ORDER BY i.row LIMIT ?");
      GW_TRY(auto rows, connection.query(missing_rows, uplink_, uplink_, after_, kStep));
      for (int looked = 0; true; ++looked) {
        GW_TRY(const bool more, rows.next());
        if (!more) break;
        step.is_last = looked + 1 < kStep;
        after_ = rows.integer(0);
        if (rows.integer(4) == 0 || std::binary_search(queued_.begin(), queued_.end(), after_))
          continue;
        // The same server may have it under another uplink's name: it is looked for first.
        missing.push_back({{after_, static_cast<std::uint64_t>(rows.integer(1)),
                            rows.integer(2) != 0, true, Turn::routine, ""},
                           std::string(rows.text(3))});
      }
    }
    for (Found& found : missing) {
      GW_TRY(found.instance.hold, hold_of_study(connection, found.study_uid));
      GW_CHECK(queue_instance(connection, uplink_, found.instance, now_));
    }
    step.queued = std::ssize(missing);
    return step;
  }

 private:
  std::string uplink_;
  std::vector<std::int64_t> queued_;
  std::string_view now_;
  std::int64_t after_ = 0;
};

/// The same over resources. The query answers, in order and behind the last one: type, id, whether
/// it is missing, and the row that has to go first.
class ResourceWalk {
 public:
  ResourceWalk(std::string uplink, const char* sql, std::string_view now)
      : uplink_(std::move(uplink)), sql_(sql), now_(now) {}

  core::Result<Step> step(Connection& connection) {
    struct Missing {
      std::string subject;
      std::optional<std::int64_t> needs;
    };
    std::vector<Missing> missing;
    Step step{true, 0};
    {
      GW_TRY(auto rows, connection.query(sql_, uplink_, type_, id_, kStep));
      for (int looked = 0; true; ++looked) {
        GW_TRY(const bool more, rows.next());
        if (!more) break;
        step.is_last = looked + 1 < kStep;
        type_ = rows.text(0);
        id_ = rows.text(1);
        if (rows.integer(2) == 0) continue;
        missing.push_back({ResourceKey{type_, id_}.text(),
                           rows.is_null(3) ? std::nullopt : std::optional(rows.integer(3))});
      }
    }
    for (const Missing& one : missing) {
      GW_TRY(const std::int64_t number,
             queue_row(connection, uplink_, "resource", one.subject, 0, one.needs, now_));
      GW_CHECK(connection.run("UPDATE outbox SET perhaps_sent = 1 WHERE number = ?", number));
    }
    step.queued = std::ssize(missing);
    return step;
  }

 private:
  std::string uplink_;
  const char* sql_;
  std::string_view now_;
  std::string type_;
  std::string id_;
};

// Not those whose newest instances it has been told of, nor priors that were fetched.
constexpr char kStudies[] =
    "SELECT 'ImagingStudy', s.imaging_study_id,"
    " NOT EXISTS (SELECT 1 FROM resource_base b JOIN resource_version v"
    " ON v.type = b.type AND v.id = b.id AND v.version = b.version"
    " WHERE b.uplink = ?1 AND b.type = 'ImagingStudy' AND b.id = s.imaging_study_id"
    " AND NOT EXISTS (SELECT 1 FROM dicom_instance i WHERE i.study_uid = s.study_uid"
    " AND i.received_at > v.at)) AND NOT EXISTS (SELECT 1 FROM outbox o"
    " WHERE o.kind = 'resource' AND o.subject = 'ImagingStudy/' || s.imaging_study_id"
    " AND o.uplink = ?1),"
    " (SELECT p.number FROM outbox p WHERE p.kind = 'resource'"
    " AND p.subject = 'Patient/' || s.patient AND p.uplink = ?1)"
    " FROM dicom_study s WHERE ?2 IS NOT NULL AND s.is_made_here = 1 AND s.imaging_study_id > ?3"
    " ORDER BY s.imaging_study_id LIMIT ?4";
// What came from a hospital is not sent to another: only what the clinic made or changed last, and
// of what it deleted only what the uplink had.
constexpr char kResources[] =
    "SELECT r.type, r.id,"
    " EXISTS (SELECT 1 FROM resource_version v WHERE v.type = r.type AND v.id = r.id"
    " AND v.version = r.version AND v.origin = 'clinic')"
    " AND coalesce((SELECT b.version < r.version FROM resource_base b WHERE b.uplink = ?1"
    " AND b.type = r.type AND b.id = r.id), r.deleted = 0)"
    " AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.kind = 'resource'"
    " AND o.subject = r.type || '/' || r.id AND o.uplink = ?1), NULL"
    " FROM resource r WHERE (r.type, r.id) > (?2, ?3) ORDER BY r.type, r.id LIMIT ?4";

template <class Walk>
core::Result<std::int64_t> walk_to_the_end(crypto::Database& database, Walk walk) {
  std::int64_t queued = 0;
  while (true) {
    Step step;
    GW_CHECK(database.write([&](Connection& connection) -> core::Status {
      GW_TRY(step, walk.step(connection));
      return {};
    }));
    queued += step.queued;
    if (step.is_last) return queued;
  }
}

core::Status note_filled(crypto::Database& database, const std::string& uplink,
                         std::int64_t queued) {
  if (queued > 0) {
    core::log_info("sync", core::cat("uplink ", uplink, " is new: ", queued,
                                     " items that were taken in before are queued for it"));
  }
  return database.write([&](Connection& connection) {
    return connection.run("INSERT OR IGNORE INTO filled_uplink (uplink) VALUES (?)", uplink);
  });
}

core::Status fill_image_uplink(crypto::Database& database, const std::string& uplink,
                               std::string_view now) {
  GW_TRY(auto known, queued_instances(database, uplink));
  GW_TRY(const std::int64_t queued,
         walk_to_the_end(database, InstanceWalk(uplink, std::move(known), now)));
  return note_filled(database, uplink, queued);
}

core::Status fill_fhir_uplink(crypto::Database& database, const std::string& uplink,
                              std::string_view now) {
  GW_TRY(const std::int64_t resources,
         walk_to_the_end(database, ResourceWalk(uplink, kResources, now)));
  GW_TRY(const std::int64_t studies,
         walk_to_the_end(database, ResourceWalk(uplink, kStudies, now)));
  return note_filled(database, uplink, resources + studies);
}

}  // namespace

core::Status fill_new_uplinks(crypto::Database& database, const IngestOptions& options,
                              std::string_view now_instant) {
  GW_TRY(const auto filled, filled_uplinks(database));
  const auto holds = [](const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  for (const std::string& uplink : filled) {
    if (holds(options.image_uplinks, uplink) || holds(options.fhir_uplinks, uplink)) continue;
    // What comes while it is not configured is not queued for it.
    GW_CHECK(database.write([&](Connection& connection) {
      return connection.run("DELETE FROM filled_uplink WHERE uplink = ?", uplink);
    }));
  }
  for (const std::string& uplink : options.image_uplinks)
    if (!holds(filled, uplink)) GW_CHECK(fill_image_uplink(database, uplink, now_instant));
  for (const std::string& uplink : options.fhir_uplinks)
    if (!holds(filled, uplink)) GW_CHECK(fill_fhir_uplink(database, uplink, now_instant));
  return {};
}

}  // namespace gateway::sync
