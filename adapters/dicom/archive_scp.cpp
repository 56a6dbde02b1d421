#include "adapters/dicom/archive_scp.h"

#include <dcmtk/dcmdata/dctk.h>

#include <functional>
#include <set>

#include "adapters/dicom/archive_identifier.h"
#include "adapters/dicom/command_data_set.h"
#include "adapters/dicom/find_answers.h"
#include "adapters/dicom/identifier_keys.h"
#include "core/text.h"
#include "sync/archive.h"

namespace gateway::adapters::dicom {
namespace {

using core::Code;
using core::Error;
using sync::ArchiveInstance;
using sync::ArchiveSeries;
using sync::ArchiveStudy;

constexpr int kStudiesAtOnce = 100;
constexpr int kInstancesAtOnce = 500;

/// How a walk over what is held goes on.
enum class Walk { on, over };

class ArchiveFind {
 public:
  ArchiveFind(FindAnswers& answers, const IdentifierKeys& keys, QueryLevel level,
              const std::string& retrieve_title, sync::Holdings& holdings)
      : answers_(answers),
        keys_(keys),
        level_(level),
        retrieve_title_(retrieve_title),
        holdings_(holdings) {}

  /// False: the association broke. An error: the database's, nothing final was sent yet.
  core::Result<bool> run() {
    sync::ArchiveSelection selection;
    selection.study_uid = plain_value(keys_.keys(), DCM_StudyInstanceUID);
    selection.accession_number = plain_value(keys_.keys(), DCM_AccessionNumber);
    std::string after;
    while (true) {
      GW_TRY(const auto page, read<std::vector<ArchiveStudy>>([&](crypto::Connection& connection) {
               return sync::archive_studies(connection, selection, after, kStudiesAtOnce, issuer());
             }));
      for (const ArchiveStudy& study : page) {
        GW_TRY(const Walk walk, visit(study));
        if (walk == Walk::over) return !is_broken_;
      }
      if (page.size() < kStudiesAtOnce) return answers_.finish(kSuccess, "");
      after = page.back().study_uid;
    }
  }
  /// How many were sent so far, and a hash of which.
  std::size_t matches() const { return matches_; }
  std::size_t shown() const { return shown_; }

 private:
  template <class T>
  core::Result<T> read(const std::function<core::Result<T>(crypto::Connection&)>& body) {
    return holdings_.database().read_value<T>(body);
  }
  const std::string& issuer() const { return holdings_.options().ingest.patient_id_issuer; }

  core::Result<Walk> visit(const ArchiveStudy& study) {
    DcmDataset identifier;
    (void)identifier.putAndInsertString(DCM_QueryRetrieveLevel,
                                        std::string(to_string(level_)).c_str());
    (void)identifier.putAndInsertString(DCM_RetrieveAETitle, retrieve_title_.c_str());
    if (level_ == QueryLevel::patient) {
      put_patient(identifier, study.patient);
      return is_new(study.patient) ? answer(identifier) : Walk::on;
    }
    put_study(identifier, study);
    if (level_ == QueryLevel::study) {
      put_availability(identifier, study.held, study.instances);
      return answer(identifier);
    }
    if (!keys_.match(identifier)) return Walk::on;
    GW_TRY(const auto all, read<std::vector<ArchiveSeries>>([&](crypto::Connection& connection) {
             return sync::archive_series(connection, study.study_uid);
           }));
    for (const ArchiveSeries& series : all) {
      GW_TRY(const Walk walk, visit(study, series, identifier));
      if (walk == Walk::over) return walk;
    }
    return Walk::on;
  }

  core::Result<Walk> visit(const ArchiveStudy& study, const ArchiveSeries& series,
                           const DcmDataset& of_study) {
    DcmDataset identifier(of_study);
    put_series(identifier, series);
    if (level_ == QueryLevel::series) {
      put_availability(identifier, series.held, series.instances);
      return answer(identifier);
    }
    if (!keys_.match(identifier)) return Walk::on;
    std::int64_t after = 0;
    while (true) {
      GW_TRY(const auto page,
             read<std::vector<ArchiveInstance>>([&](crypto::Connection& connection) {
               return sync::archive_instances(connection, study.study_uid, series.series_uid, after,
                                              kInstancesAtOnce);
             }));
      for (const ArchiveInstance& instance : page) {
        DcmDataset of_instance(identifier);
        put_instance(of_instance, instance);
        put_availability(of_instance, instance.is_held ? 1 : 0, 1);
        if (answer(of_instance) == Walk::over) return Walk::over;
      }
      if (page.size() < kInstancesAtOnce) return Walk::on;
      after = page.back().row;
    }
  }

  /// A patient with many studies is one answer.
  bool is_new(const sync::ShownPatient& patient) {
    return seen_.insert(core::cat(patient.id, "\\", patient.name, "\\", patient.birth_date)).second;
  }

  Walk answer(DcmDataset& identifier) {
    if (!keys_.match(identifier)) return Walk::on;
    const bool all_known = keys_.make_answer(identifier);
    // Asked for or not (PS3.4 C.4.1.1.3.2).
    (void)identifier.putAndInsertString(DCM_RetrieveAETitle, retrieve_title_.c_str());
    ++matches_;
    shown_ = shown_ * 31 + std::hash<std::string>()(text_of(identifier, DCM_StudyInstanceUID) +
                                                    text_of(identifier, DCM_PatientID));
    const auto sent = answers_.send_match(identifier, all_known);
    is_broken_ = sent == FindAnswers::Sent::broken;
    return sent == FindAnswers::Sent::yes ? Walk::on : Walk::over;
  }

  FindAnswers& answers_;
  const IdentifierKeys& keys_;
  const QueryLevel level_;
  const std::string& retrieve_title_;
  sync::Holdings& holdings_;
  std::set<std::string> seen_;
  std::size_t matches_ = 0;
  std::size_t shown_ = 0;
  bool is_broken_ = false;
};

core::Result<QueryLevel> level_of(DcmItem& keys, std::string_view sop_class) {
  const auto level = query_level(text_of(keys, DCM_QueryRetrieveLevel));
  if (!level) return Error(Code::invalid, "it names no query/retrieve level");
  if (*level == QueryLevel::patient && sop_class == UID_FINDStudyRootQueryRetrieveInformationModel)
    return Error(Code::invalid, "the study root has no patient level");
  return *level;
}

}  // namespace

bool serve_archive_query(Association& association, T_ASC_PresentationContextID context,
                         const T_DIMSE_C_FindRQ& request, const sync::HoldingsDoor& door,
                         const std::string& character_set, QueryTrail& trail, Traffic& traffic) {
  ++traffic.queries;
  FindAnswers answers(association, context, request);
  const auto refuse = [&](const Error& error) { return answers.refuse(error, traffic); };
  const auto bytes = answers.receive_identifier();
  if (!bytes.ok() && bytes.error().code() == Code::unavailable) return false;
  if (!bytes.ok()) return refuse(bytes.error());
  const Association::Context agreed = association.context(context);
  const auto keys = IdentifierKeys::parse(
      bytes.value(), DcmXfer(agreed.transfer_syntax.c_str()).getXfer(), character_set);
  if (!keys.ok()) return refuse(keys.error());
  const auto level = level_of(keys->keys(), agreed.abstract_syntax);
  if (!level.ok()) return refuse(level.error());
  const std::shared_ptr<sync::Holdings> holdings = door.get();
  if (!holdings) return refuse(Error(Code::locked, "the gateway is locked"));
  ArchiveFind find(answers, *keys, *level, association.called_title(), *holdings);
  const auto done = find.run();
  trail.note(*holdings, association, {"archive", find.matches(), find.shown()});
  return done.ok() ? done.value() : refuse(done.error());
}

}  // namespace gateway::adapters::dicom
