#include "adapters/dicom/worklist_query.h"

#include <dcmtk/dcmdata/dctk.h>

#include "adapters/dicom/attribute_matching.h"
#include "adapters/dicom/command_data_set.h"
#include "sync/fhir/person_name.h"

namespace gateway::adapters::dicom {
namespace {

bool is_date(std::string_view text) {
  return text.size() == 8 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

core::Result<WorklistQuery> WorklistQuery::parse(const std::string& bytes, E_TransferSyntax syntax,
                                                 const std::string& character_set) {
  GW_TRY(IdentifierKeys keys, IdentifierKeys::parse(bytes, syntax, character_set));
  return WorklistQuery(std::move(keys));
}

sync::WorklistSelection WorklistQuery::selection() const {
  sync::WorklistSelection selection;
  DcmDataset& keys = keys_.keys();
  selection.patient_id = plain_value(keys, DCM_PatientID);
  selection.accession_number = plain_value(keys, DCM_AccessionNumber);
  const std::string name = text_of(keys, DCM_PatientName);
  selection.name = sync::fhir::pn_search_key(name.substr(0, name.find('=')));
  DcmItem* step = nullptr;
  if (keys.findAndGetSequenceItem(DCM_ScheduledProcedureStepSequence, step, 0).bad())
    return selection;
  selection.modality = plain_value(*step, DCM_Modality);
  selection.station_ae_title = plain_value(*step, DCM_ScheduledStationAETitle);
  const std::string dates = text_of(*step, DCM_ScheduledProcedureStepStartDate);
  const Range range = parse_range(dates);
  if (is_date(range.from)) selection.date_from = range.from;
  if (is_date(range.to)) selection.date_to = range.to;
  return selection;
}

WorklistQuery::Answer WorklistQuery::answer(const sync::WorklistStep& step) const {
  auto identifier = worklist_identifier(step);
  if (!keys_.match(*identifier)) return {};
  Answer answer;
  answer.all_keys_supported = keys_.make_answer(*identifier);
  answer.identifier = std::move(identifier);
  return answer;
}

}  // namespace gateway::adapters::dicom
