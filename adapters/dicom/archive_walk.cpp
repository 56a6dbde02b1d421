#include "adapters/dicom/archive_walk.h"

#include <dcmtk/dcmdata/dctk.h>

#include <algorithm>
#include <optional>

#include "adapters/dicom/attribute_matching.h"
#include "adapters/dicom/command_data_set.h"
#include "core/text.h"
#include "sync/archive_candidates.h"
#include "sync/fhir/person_name.h"

namespace gateway::adapters::dicom {
namespace {

using sync::ArchiveInstance;
using sync::ArchiveSeries;
using sync::ArchiveStudy;

constexpr std::size_t kStudiesAtOnce = 100;
constexpr int kInstancesAtOnce = 500;
constexpr std::size_t kCandidatesMax = 20'000;

using Candidates = std::optional<std::vector<std::string>>;
using Page = core::Result<std::vector<ArchiveStudy>>;

std::string eight_digits(std::string_view date) {
  constexpr std::size_t kLength = 8;
  const bool is_plain = date.size() == kLength && date.find_first_not_of("0123456789") == date.npos;
  return is_plain ? std::string(date) : std::string();
}

sync::ArchiveHints hints_of(DcmItem& keys) {
  sync::ArchiveHints hints;
  hints.patient_id = plain_value(keys, DCM_PatientID);
  const std::string name = text_of(keys, DCM_PatientName);
  const std::string pattern = sync::fhir::pn_search_key(name.substr(0, name.find('=')));
  hints.name_begins = pattern.substr(0, pattern.find_first_of("*?"));
  const std::string date = text_of(keys, DCM_StudyDate);
  const Range range = parse_range(date);
  hints.date_from = eight_digits(range.from);
  hints.date_to = eight_digits(range.to);
  return hints;
}

}  // namespace

core::Result<Walk> ArchiveWalk::run() {
  sync::ArchiveSelection selection;
  selection.study_uid = plain_value(keys_.keys(), DCM_StudyInstanceUID);
  selection.accession_number = plain_value(keys_.keys(), DCM_AccessionNumber);
  if (selection.study_uid.empty() && selection.accession_number.empty()) {
    GW_TRY(const auto candidates, read<Candidates>([&](crypto::Connection& connection) {
             return sync::archive_candidates(connection, hints_of(keys_.keys()), kCandidatesMax);
           }));
    if (candidates) return walk(*candidates);
  }
  std::string after;
  while (true) {
    GW_TRY(const auto page, read<std::vector<ArchiveStudy>>([&](crypto::Connection& connection) {
             return sync::archive_studies(connection, selection, after,
                                          static_cast<int>(kStudiesAtOnce), issuer());
           }));
    for (const ArchiveStudy& study : page) {
      GW_TRY(const Walk walked, step(study));
      if (walked == Walk::over) return walked;
    }
    if (page.size() < kStudiesAtOnce) return Walk::on;
    after = page.back().study_uid;
  }
}

core::Result<Walk> ArchiveWalk::walk(const std::vector<std::string>& study_uids) {
  for (std::size_t next = 0; next < study_uids.size();) {
    const std::size_t end = std::min(next + kStudiesAtOnce, study_uids.size());
    const auto page_of = [&](crypto::Connection& connection) -> Page {
      std::vector<ArchiveStudy> page;
      for (std::size_t i = next; i < end; ++i) {
        GW_TRY(auto one, sync::archive_studies(connection, {study_uids[i], ""}, "", 1, issuer()));
        for (ArchiveStudy& study : one) page.push_back(std::move(study));
      }
      return page;
    };
    GW_TRY(const auto page, read<std::vector<ArchiveStudy>>(page_of));
    next = end;
    for (const ArchiveStudy& study : page) {
      GW_TRY(const Walk walked, step(study));
      if (walked == Walk::over) return walked;
    }
  }
  return Walk::on;
}

core::Result<Walk> ArchiveWalk::step(const ArchiveStudy& study) {
  if (is_late_()) return Walk::over;
  DcmDataset found(begin_);
  if (level_ == QueryLevel::patient) {
    put_patient(found, study.patient);
    // A patient with many studies is one match.
    const sync::ShownPatient& who = study.patient;
    const bool is_new =
        patients_seen_.insert(core::cat(who.id, "\\", who.name, "\\", who.birth_date)).second;
    return is_new ? offer(found) : Walk::on;
  }
  put_study(found, study);
  if (level_ == QueryLevel::study) {
    put_availability(found, study.held, study.instances);
    return offer(found);
  }
  if (!keys_.match(found)) return Walk::on;
  GW_TRY(const auto all, read<std::vector<ArchiveSeries>>([&](crypto::Connection& connection) {
           return sync::archive_series(connection, study.study_uid);
         }));
  for (const ArchiveSeries& series : all) {
    GW_TRY(const Walk walk, step(study, series, found));
    if (walk == Walk::over) return walk;
  }
  return Walk::on;
}

core::Result<Walk> ArchiveWalk::step(const ArchiveStudy& study, const ArchiveSeries& series,
                                     const DcmDataset& of_study) {
  DcmDataset found(of_study);
  put_series(found, series);
  if (level_ == QueryLevel::series) {
    put_availability(found, series.held, series.instances);
    return offer(found);
  }
  if (!keys_.match(found)) return Walk::on;
  std::int64_t after = 0;
  while (true) {
    GW_TRY(const auto page, read<std::vector<ArchiveInstance>>([&](crypto::Connection& connection) {
             return sync::archive_instances(connection, study.study_uid, series.series_uid, after,
                                            kInstancesAtOnce);
           }));
    for (const ArchiveInstance& instance : page) {
      DcmDataset of_instance(found);
      put_instance(of_instance, instance);
      put_availability(of_instance, instance.is_held ? 1 : 0, 1);
      if (offer(of_instance) == Walk::over) return Walk::over;
    }
    if (page.size() < kInstancesAtOnce) return Walk::on;
    if (is_late_()) return Walk::over;
    after = page.back().row;
  }
}

}  // namespace gateway::adapters::dicom
