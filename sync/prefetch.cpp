#include "sync/prefetch.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "core/log.h"
#include "core/text.h"
#include "sync/fetched_mark.h"
#include "sync/prefetch_room.h"
#include "sync/prefetch_rows.h"
#include "sync/prior_intake.h"
#include "sync/qido.h"
#include "sync/wado.h"

namespace gateway::sync {
namespace {

using core::Code;
using core::Error;
using core::net::Awaitable;
using crypto::Connection;

constexpr int kFailuresMax = 6;
constexpr std::chrono::minutes kRestAfterFailure{10};

/// It will be no other next time.
bool is_final(const Error& error) {
  return error.code() == Code::invalid || error.code() == Code::not_found ||
         error.code() == Code::refused || error.code() == Code::corrupt;
}

bool is_ours(const Error& error) {
  return error.code() == Code::no_space || error.code() == Code::io ||
         error.code() == Code::cancelled;
}

/// QIDO-RS takes wildcards and lists: it would find other patients' studies as well.
bool is_one_id(std::string_view patient_id) {
  return !core::trim(patient_id).empty() &&
         patient_id.find_first_of("*?\\") == std::string_view::npos;
}

class Round {
 public:
  Round(const PrefetchSetting& setting, PrefetchFailures& failures, PrefetchReport& report)
      : setting_(setting),
        uplink_(setting.options.uplink),
        failures_(failures),
        report_(report),
        holdings_(*setting.holdings),
        room_(holdings_, setting.clock, setting.options.policy.quota_bytes, setting.stopping) {}

  Awaitable<core::Result<bool>> run() {
    report_.problem.clear();
    report_.is_waiting = false;
    GW_CO_TRY(const auto visits, near());
    for (const Visit& visit : visits) {
      if (setting_.stopping()) break;
      GW_CO_TRY(const bool known, read<bool>([&](Connection& connection) {
                  return is_looked_up(connection, visit.service_request);
                }));
      if (!known && rests(failures_.look_ups, visit.service_request)) continue;
      if (!known) {
        auto looked = co_await look_up(visit);
        if (!looked.ok()) co_return std::move(looked).error();
        if (!*looked) break;
      }
      GW_CO_TRY(const auto study, next_prior(visit));
      if (!study) continue;
      auto went_on = co_await fetch(visit, *study);
      GW_CO_CHECK(count_held());
      co_return went_on;
    }
    GW_CO_CHECK(count_held());
    co_return false;
  }

 private:
  template <class T>
  core::Result<T> read(const std::function<core::Result<T>(Connection&)>& body) {
    return holdings_.database().read_value<T>(body);
  }

  core::DicomTime local(core::Wall time) const {
    return core::to_dicom_time(core::to_instant(time), holdings_.options().worklist.time_zone);
  }

  core::Result<std::vector<Visit>> near() {
    const core::Wall now = setting_.clock.wall();
    const core::DicomTime from = local(now);
    const core::DicomTime until = local(now + setting_.options.policy.ahead);
    std::vector<std::string> over;
    GW_TRY(auto visits, read<std::vector<Visit>>(
                            [&](Connection& connection) -> core::Result<std::vector<Visit>> {
                              GW_TRY(auto found, near_visits(connection, from, until));
                              GW_TRY(over, visits_to_forget(connection, found));
                              return found;
                            }));
    for (const std::string& visit : over) GW_CHECK(forget(visit));
    std::erase_if(failures_.look_ups, [&](const auto& failure) {
      return std::ranges::find(visits, failure.first, &Visit::service_request) == visits.end();
    });
    return visits;
  }

  core::Status forget(const std::string& visit) {
    GW_TRY(const auto wanted, read<std::vector<std::string>>([&](Connection& connection) {
             return wanted_priors(connection, visit);
           }));
    for (const std::string& study_uid : wanted) {
      GW_CHECK(room_.let_go_part(study_uid, visit));
      failures_.studies.erase(study_uid);
    }
    return holdings_.database().write(
        [&](Connection& connection) { return forget_visit(connection, visit); });
  }

  /// Of those wanted, the first that the PACS has not just failed at.
  core::Result<std::optional<std::string>> next_prior(const Visit& visit) {
    GW_TRY(const auto wanted, read<std::vector<std::string>>([&](Connection& connection) {
             return wanted_priors(connection, visit.service_request);
           }));
    for (const std::string& study_uid : wanted)
      if (!rests(failures_.studies, study_uid)) return std::optional(study_uid);
    return std::optional<std::string>();
  }

  using Failures = std::map<std::string, PrefetchFailure>;

  bool rests(const Failures& failures, const std::string& what) const {
    const auto failure = failures.find(what);
    return failure != failures.end() && setting_.clock.monotonic() < failure->second.rests_until;
  }

  /// The PACS is there, but failed at this. True: too often.
  bool is_hopeless(Failures& failures, const std::string& what, const Error& error) {
    if (error.code() != Code::lost_answer) return false;
    PrefetchFailure& failure = failures[what];
    failure.rests_until = setting_.clock.monotonic() + kRestAfterFailure;
    return ++failure.times >= kFailuresMax;
  }

  core::Status count_held() {
    GW_TRY(report_.held_bytes, read<std::uint64_t>(fetched_bytes));
    return {};
  }

  /// The disk, the site's hours, a person and what is urgent come first.
  core::Result<bool> may_go_on() {
    GW_TRY(const std::uint64_t free, setting_.files.free_bytes(holdings_.options().state_folder));
    GW_TRY(const bool taken, read<bool>([&](Connection& connection) {
             return is_uplink_taken(connection, uplink_);
           }));
    report_.is_waiting = taken || free < setting_.free_at_least ||
                         !setting_.options.hours.is_open(setting_.clock.wall());
    return !report_.is_waiting;
  }

  void note_problem(const Error& error) {
    if (error.code() == Code::cancelled) return;
    report_.problem = core::cat("uplink ", uplink_, ": ", error.message());
  }

  core::Status write_priors(const Visit& visit, const std::vector<std::string>& chosen) {
    return holdings_.database().write(
        [&](Connection& connection) { return keep_priors(connection, visit, chosen); });
  }

  /// False: not now.
  Awaitable<core::Result<bool>> look_up(const Visit& visit) {
    if (!is_one_id(visit.patient_id)) {
      GW_CO_CHECK(write_priors(visit, {}));
      co_return true;
    }
    GW_CO_TRY(const bool may, may_go_on());
    if (!may) co_return false;
    const auto client = pacs();
    if (!client) co_return false;
    const std::string today = local(setting_.clock.wall()).date;
    std::string from = years_before(today, setting_.options.policy.years_max);
    auto found = co_await find_studies_of(client, visit.patient_id, std::move(from));
    if (!found.ok()) {
      note_problem(found.error());
      if (!is_final(found.error()) &&
          !is_hopeless(failures_.look_ups, visit.service_request, found.error()))
        co_return false;
      failures_.look_ups.erase(visit.service_request);
      GW_CO_CHECK(write_priors(visit, {}));
      co_return true;
    }
    failures_.look_ups.erase(visit.service_request);
    GW_CO_TRY(auto theirs, of_patient(visit, std::move(*found)));
    const auto chosen = choose_priors(setting_.options.policy, today, visit.modality,
                                      visit.study_uid, std::move(theirs));
    GW_CO_CHECK(write_priors(visit, chosen));
    co_return true;
  }

  /// None: a mistake of ours, which says nothing of what the PACS has.
  std::shared_ptr<core::net::HttpClient> pacs() {
    auto client = setting_.pacs.get(uplink_);
    if (client.ok()) return std::move(*client);
    note_problem(client.error());
    return nullptr;
  }

  core::Result<std::vector<PriorStudy>> of_patient(const Visit& visit,
                                                   std::vector<PriorStudy> found) {
    return read<std::vector<PriorStudy>>(
        [&](Connection& connection) -> core::Result<std::vector<PriorStudy>> {
          std::vector<PriorStudy> theirs;
          for (PriorStudy& study : found) {
            GW_TRY(const bool is_patients,
                   is_prior_of(connection, study.facts, visit.patient,
                               holdings_.options().ingest.patient_id_issuer));
            if (is_patients) theirs.push_back(std::move(study));
          }
          return theirs;
        });
  }

  /// True: it is done with, one way or the other.
  Awaitable<core::Result<bool>> fetch(const Visit& visit, const std::string& study_uid) {
    const std::uint64_t before = report_.instances;
    auto whole = co_await fetch_study(visit, study_uid);
    if (!whole.ok() && is_ours(whole.error())) {
      report_.is_waiting = whole.error().code() == Code::no_space;
      if (whole.error().code() == Code::io) co_return std::move(whole).error();
      co_return false;
    }
    if (whole.ok() && !*whole) co_return false;
    if (!whole.ok()) {
      note_problem(whole.error());
      // A PACS that is away is waited for; one that breaks off at the same place is not.
      const bool is_fruitless = report_.instances == before;
      const bool is_over =
          is_final(whole.error()) ||
          (is_fruitless && is_hopeless(failures_.studies, study_uid, whole.error()));
      if (!is_over) co_return false;
      GW_CO_CHECK(room_.let_go_part(study_uid, visit.service_request));
      core::log_warn("prefetch", core::cat("a prior study is given up for its visit: ",
                                           whole.error().message()));
    }
    failures_.studies.erase(study_uid);
    ++(whole.ok() ? report_.studies : report_.given_up);
    GW_CO_CHECK(holdings_.database().write([&](Connection& connection) {
      return end_prior(connection, visit.service_request, study_uid,
                       whole.ok() ? "fetched" : "given_up");
    }));
    co_return true;
  }

  /// False: the rest has to wait.
  Awaitable<core::Result<bool>> fetch_study(const Visit& visit, const std::string& study_uid) {
    GW_CO_TRY(const bool may, may_go_on());
    if (!may) co_return false;
    const auto client = pacs();
    if (!client) co_return false;
    auto listed = co_await find_instances_of(client, study_uid);
    if (!listed.ok()) co_return std::move(listed).error();
    if (listed->empty()) co_return Error(Code::not_found, "the PACS lists no instance of it");
    GW_CO_TRY(const auto missing, not_here(*listed));
    for (const InstanceName& name : missing) {
      GW_CO_TRY(const bool still, may_go_on());
      if (!still || setting_.stopping()) co_return false;
      core::Status fetched = co_await fetch_in_quota(client, visit, name);
      if (!fetched.ok()) co_return std::move(fetched).error();
    }
    // What was here may have gone meanwhile.
    GW_CO_TRY(const auto gone, not_here(*listed));
    co_return gone.empty();
  }

  core::Result<std::vector<InstanceName>> not_here(const std::vector<InstanceName>& listed) {
    return read<std::vector<InstanceName>>(
        [&](Connection& connection) { return not_held(connection, listed); });
  }

  /// Older priors that no visit waits for make room. How long an instance is, only its bytes say.
  Awaitable<core::Status> fetch_in_quota(std::shared_ptr<core::net::HttpClient> client,
                                         const Visit& visit, const InstanceName& name) {
    std::uint64_t wanted = 1;
    while (true) {
      GW_CO_TRY(const std::uint64_t left, room_.make(wanted));
      if (setting_.stopping()) co_return stopped();
      if (left < wanted) {
        co_return Error(Code::invalid,
                        "prefetch.quota_mb has no room for it beside what other visits wait for");
      }
      std::uint64_t came = 0;
      core::Status fetched = co_await fetch_one(client, visit, name, left, came);
      if (fetched.ok() || came <= left) co_return fetched;
      wanted = came;
    }
  }

  /// `came`: the bytes that arrived; more than `left`: it was broken off there.
  Awaitable<core::Status> fetch_one(std::shared_ptr<core::net::HttpClient> client,
                                    const Visit& visit, const InstanceName& name,
                                    std::uint64_t left, std::uint64_t& came) {
    GW_CO_TRY(std::unique_ptr<crypto::SealedWriter> writer, holdings_.objects().create());
    MarkedWriter marked(*writer, uplink_);
    TakeBytes take = [&](std::span<const std::byte> bytes) -> core::Status {
      if (setting_.stopping()) return stopped();
      came += bytes.size();
      if (came > left) return Error(Code::no_space, "the quota of prefetching is used up");
      return marked.append(bytes);
    };
    const auto fetched = co_await fetch_instance(std::move(client), name, std::move(take));
    if (!fetched.ok()) co_return fetched.error();
    GW_CO_TRY(const crypto::SealedObject object, writer->finish());
    GW_CO_TRY(const PriorOutcome outcome,
              take_prior(holdings_, setting_.clock, {uplink_, visit.patient}, name.study_uid,
                         object.id, fetched->data_set_digest));
    if (outcome == PriorOutcome::taken) {
      ++report_.instances;
      report_.bytes += object.size;
    }
    co_return core::Status();
  }

  static Error stopped() { return {Code::cancelled, "the gateway stops"}; }

  const PrefetchSetting& setting_;
  const std::string& uplink_;
  PrefetchFailures& failures_;
  PrefetchReport& report_;
  Holdings& holdings_;
  PriorsRoom room_;
};

}  // namespace

Awaitable<core::Result<bool>> prefetch_round(const PrefetchSetting& setting,
                                             PrefetchFailures& failures, PrefetchReport& report) {
  Round round(setting, failures, report);
  auto more = co_await round.run();
  co_return more;
}

}  // namespace gateway::sync
