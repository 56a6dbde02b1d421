#include "adapters/dicom/archive_scp.h"

#include <dcmtk/dcmdata/dctk.h>

#include <functional>

#include "adapters/dicom/archive_identifier.h"
#include "adapters/dicom/archive_walk.h"
#include "adapters/dicom/command_data_set.h"
#include "adapters/dicom/find_answers.h"
#include "adapters/dicom/identifier_keys.h"

namespace gateway::adapters::dicom {
namespace {

using core::Code;
using core::Error;

/// Sends each match as it is found.
class ArchiveFind {
 public:
  ArchiveFind(FindAnswers& answers, const IdentifierKeys& keys, const std::string& retrieve_title)
      : answers_(answers), keys_(keys), retrieve_title_(retrieve_title) {}

  /// False: the association broke. An error: the database's, nothing final was sent yet.
  core::Result<bool> run(QueryLevel level, sync::Holdings& holdings) {
    DcmDataset begin;
    (void)begin.putAndInsertString(DCM_QueryRetrieveLevel, std::string(to_string(level)).c_str());
    put_title(begin);
    const auto answer = [this](DcmDataset& found) { return this->answer(found); };
    GW_TRY(const Walk walk, ArchiveWalk(holdings, keys_, level, begin, answer).run());
    return walk == Walk::over ? !is_broken_ : answers_.finish(kSuccess, "");
  }
  /// How many were sent so far, and a hash of which.
  std::size_t matches() const { return matches_; }
  std::size_t shown() const { return shown_; }

 private:
  void put_title(DcmDataset& identifier) const {
    (void)identifier.putAndInsertString(DCM_RetrieveAETitle, retrieve_title_.c_str());
  }

  Walk answer(DcmDataset& identifier) {
    const bool all_known = keys_.make_answer(identifier);
    put_title(identifier);  // asked for or not (PS3.4 C.4.1.1.3.2)
    ++matches_;
    shown_ = shown_ * 31 + std::hash<std::string>()(text_of(identifier, DCM_StudyInstanceUID) +
                                                    text_of(identifier, DCM_PatientID));
    const auto sent = answers_.send_match(identifier, all_known);
    is_broken_ = sent == FindAnswers::Sent::broken;
    return sent == FindAnswers::Sent::yes ? Walk::on : Walk::over;
  }

  FindAnswers& answers_;
  const IdentifierKeys& keys_;
  const std::string& retrieve_title_;
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
  ArchiveFind find(answers, *keys, association.called_title());
  const auto done = find.run(*level, *holdings);
  trail.note(*holdings, association, {"archive", find.matches(), find.shown()});
  return done.ok() ? done.value() : refuse(done.error());
}

}  // namespace gateway::adapters::dicom
