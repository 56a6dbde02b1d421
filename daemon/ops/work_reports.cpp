#include "daemon/ops/work_reports.h"

#include "core/civil_time.h"
#include "core/text.h"
#include "sync/pins.h"
#include "sync/reports.h"

namespace gateway::daemon {

using core::cat;
using core::Code;
using core::Error;
using core::Json;

namespace {

constexpr std::size_t kDevicesMax = 500;

}  // namespace

core::Result<Json> answer_retry(sync::Holdings& holdings, const core::Clock& clock,
                                std::int64_t number, const Caller& caller) {
  std::int64_t count = 0;
  GW_CHECK(holdings.database().write([&](crypto::Connection& connection) -> core::Status {
    GW_TRY(count, sync::retry_parked(connection, number));
    return holdings.audit().append(connection, {.at = clock.wall(),
                                                .actor = caller.actor,
                                                .action = "retry",
                                                .resource = cat("queue/", number),
                                                .patient = "",
                                                .source = caller.source,
                                                .outcome = cat(count, " put back")});
  }));
  if (number != 0 && count == 0)
    return Error(Code::not_found, cat("there is no parked item ", number));
  return Json::object({{"retried", count}});
}

core::Result<Json> answer_pin(sync::Holdings& holdings, const core::Clock& clock,
                              const std::string& study_uid, bool pinned) {
  GW_CHECK(sync::pin_study(holdings, clock, study_uid, pinned));
  return Json::object({{"pinned", pinned}});
}

core::Result<Json> answer_worklist(sync::Holdings& holdings, const core::Clock& clock,
                                   std::int64_t limit) {
  const std::string yesterday =
      core::to_instant(clock.wall() - std::chrono::hours(24)).substr(0, 10);
  GW_TRY(const Json rows, holdings.database().read_value<Json>([&](crypto::Connection& connection) {
    return sync::worklist_report(connection, core::to_dicom_date(yesterday), limit);
  }));
  return Json::object({{"worklist", rows}});
}

core::Result<Json> answer_last_seen(sync::Holdings& holdings) {
  Json devices = Json::array();
  GW_CHECK(holdings.database().read([&](crypto::Connection& connection) -> core::Status {
    for (const char* kind : {"ae:", "device:"}) {
      GW_TRY(const auto actors, crypto::Audit::actors(connection, kind, kDevicesMax));
      for (const crypto::AuditActor& actor : actors)
        devices.add(Json::object({{"name", actor.name}, {"last_seen", actor.last_at}}));
    }
    return {};
  }));
  return Json::object({{"devices", devices}});
}

}  // namespace gateway::daemon
