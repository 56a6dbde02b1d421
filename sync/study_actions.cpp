#include "sync/study_actions.h"

#include <algorithm>
#include <optional>
#include <span>

#include "core/text.h"
#include "sync/archive.h"
#include "sync/eviction.h"
#include "sync/outbox.h"
#include "sync/patient_trail.h"
#include "sync/routes.h"
#include "sync/shredding.h"

namespace gateway::sync {
namespace {

using core::Code;
using core::Error;
using core::Json;
using crypto::Connection;

constexpr int kPage = 500;
constexpr std::size_t kEvictedAtOnce = 32;  // the writer is held that long

Error no_study() {
  return {Code::not_found, "no study of that UID is held here; see clinic-gateway --json studies"};
}

core::Result<ArchiveStudy> find_study(Connection& connection, const std::string& study_uid,
                                      std::string_view own_issuer) {
  GW_TRY(auto found, archive_studies(connection, {study_uid, ""}, "", 1, own_issuer));
  if (study_uid.empty() || found.empty()) return no_study();
  return std::move(found.front());
}

Json instance_document(const ArchiveInstance& instance) {
  return Json::object({{"row", instance.row},
                       {"sop_instance_uid", instance.sop_instance_uid},
                       {"series_uid", instance.series_uid},
                       {"sop_class_uid", instance.sop_class_uid},
                       {"transfer_syntax_uid", instance.transfer_syntax_uid},
                       {"number", instance.instance_number},
                       {"bytes", static_cast<std::int64_t>(instance.data_set_bytes)},
                       {"held", instance.is_held}});
}

struct HeldRow {
  std::int64_t row = 0;
  std::uint64_t bytes = 0;
  std::string fetched_from;
};

core::Result<std::vector<HeldRow>> held_rows(Connection& connection, const std::string& study_uid) {
  GW_TRY(auto rows,
         connection.query("SELECT row, size, fetched_from FROM dicom_instance WHERE study_uid = ?"
                          " AND copy = 0 AND rejection = 0 AND state = 'held' ORDER BY row",
                          study_uid));
  std::vector<HeldRow> list;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return list;
    list.push_back(
        {rows.integer(0), static_cast<std::uint64_t>(rows.integer(1)), std::string(rows.text(2))});
  }
}

core::Status note(Connection& connection, Holdings& holdings, const core::Clock& clock,
                  std::string action, const std::string& study_uid, std::string outcome) {
  GW_TRY(const TrailedStudy study, trail_study(connection, study_uid));
  return holdings.audit().append(connection, {.at = clock.wall(),
                                              .actor = "operator",
                                              .action = std::move(action),
                                              .resource = study.resource,
                                              .patient = study.patient,
                                              .source = "local",
                                              .outcome = std::move(outcome)});
}

}  // namespace

core::Result<Json> study_page(Holdings& holdings, const std::string& study_uid,
                              std::int64_t after) {
  return holdings.database().read_value<Json>([&](Connection& connection) -> core::Result<Json> {
    const std::string& issuer = holdings.options().ingest.patient_id_issuer;
    GW_TRY(const ArchiveStudy study, find_study(connection, study_uid, issuer));
    GW_TRY(const auto page, archive_study_instances(connection, study_uid, after, kPage));
    Json instances = Json::array();
    for (const ArchiveInstance& instance : page) instances.add(instance_document(instance));
    Json document = Json::object({{"study_uid", study.study_uid},
                                  {"patient_name", study.patient.name},
                                  {"patient_id", study.patient.id},
                                  {"patient", study.linked_patient},
                                  {"date", study.study_date},
                                  {"description", study.description}});
    document.set("instances", instances);
    return document;
  });
}

core::Status note_disclosure(Holdings& holdings, const core::Clock& clock, std::string action,
                             const std::string& study_uid) {
  return holdings.database().write([&](Connection& connection) {
    return note(connection, holdings, clock, action, study_uid, "success");
  });
}

core::Result<std::string> study_of(Holdings& holdings, std::int64_t row) {
  GW_TRY(auto found,
         holdings.database().read_value<std::optional<std::string>>([row](Connection& connection) {
           return connection.text("SELECT study_uid FROM dicom_instance WHERE row = ?", row);
         }));
  if (!found) return Error(Code::not_found, "there is no such instance");
  return std::move(*found);
}

core::Result<std::int64_t> send_study(Holdings& holdings, const core::Clock& clock,
                                      const std::string& study_uid, const std::string& uplink) {
  const std::vector<std::string>& all = holdings.options().ingest.image_uplinks;
  if (!uplink.empty() && std::ranges::find(all, uplink) == all.end())
    return Error(Code::not_found, core::cat("no uplink of images is called \"", uplink, "\""));
  std::int64_t count = 0;
  const auto queue = [&](Connection& connection) -> core::Status {
    GW_TRY(const ArchiveStudy study,
           find_study(connection, study_uid, holdings.options().ingest.patient_id_issuer));
    GW_TRY(const auto rows, held_rows(connection, study.study_uid));
    const std::string now = core::to_instant(clock.wall());
    for (const HeldRow& held : rows) {
      std::vector<std::string> uplinks{uplink};
      if (uplink.empty()) {
        GW_TRY(uplinks, uplinks_of_instance(connection, held.row, all));
        std::erase(uplinks, held.fetched_from);  // it is there
      }
      for (const std::string& to : uplinks) {
        GW_TRY(const auto waiting,
               connection.integer("SELECT 1 FROM outbox WHERE uplink = ? AND kind = 'instance'"
                                  " AND subject = ?",
                                  to, std::to_string(held.row)));
        if (!waiting) {
          GW_CHECK(queue_row(connection, to, "instance", std::to_string(held.row), held.bytes,
                             std::nullopt, now));
        }
        ++count;
      }
    }
    return note(connection, holdings, clock, "send", study_uid, core::cat(count, " instances"));
  };
  GW_CHECK(holdings.database().write(queue));
  return count;
}

core::Result<Json> delete_study(Holdings& holdings, const core::Clock& clock,
                                const std::string& study_uid) {
  std::vector<std::int64_t> rows;
  const auto list = [&](Connection& connection) -> core::Status {
    GW_TRY(const ArchiveStudy study,
           find_study(connection, study_uid, holdings.options().ingest.patient_id_issuer));
    GW_TRY(const auto held, held_rows(connection, study.study_uid));
    for (const HeldRow& one : held) rows.push_back(one.row);
    return {};
  };
  GW_CHECK(holdings.database().read(list));
  std::uint64_t evicted = 0;
  for (std::size_t at = 0; at < rows.size(); at += kEvictedAtOnce) {
    const auto begin = rows.begin() + static_cast<std::ptrdiff_t>(at);
    const auto end =
        begin + static_cast<std::ptrdiff_t>(std::min(kEvictedAtOnce, rows.size() - at));
    GW_TRY(const Evicted gone, evict(holdings, clock, {begin, end}));
    evicted += gone.instances;
  }
  GW_CHECK(shred_doomed(holdings.database(), holdings.objects(), clock, [] { return false; }));
  GW_CHECK(holdings.database().write([&](Connection& connection) {
    return note(connection, holdings, clock, "delete", study_uid, core::cat(evicted, " instances"));
  }));
  return Json::object({{"evicted", static_cast<std::int64_t>(evicted)},
                       {"kept", static_cast<std::int64_t>(rows.size() - evicted)}});
}

}  // namespace gateway::sync
