#include "adapters/dicom/worklist_query.h"

#include <dcmtk/dcmdata/dctk.h>

#include "adapters/dicom/attribute_matching.h"
#include "adapters/dicom/character_sets.h"
#include "adapters/dicom/command_data_set.h"
#include "core/text.h"
#include "sync/fhir/person_name.h"

namespace gateway::adapters::dicom {
namespace {

MatchKind kind_of(DcmEVR vr) {
  switch (vr) {
    case EVR_PN:
      return MatchKind::person_name;
    case EVR_UI:
      return MatchKind::uid_list;
    case EVR_DA:
      return MatchKind::date;
    case EVR_TM:
      return MatchKind::time;
    case EVR_AE:
    case EVR_CS:
    case EVR_LO:
    case EVR_LT:
    case EVR_SH:
    case EVR_ST:
    case EVR_UC:
    case EVR_UR:
    case EVR_UT:
      return MatchKind::wildcard;
    default:
      return MatchKind::exact;
  }
}

bool is_no_key(const DcmTagKey& tag) {
  return tag == DCM_SpecificCharacterSet || tag == DCM_TimezoneOffsetFromUTC ||
         tag.getElement() == 0;
}

bool all_match(DcmItem& keys, DcmItem& values);

bool is_universal(DcmItem& keys) {
  for (unsigned long i = 0; i < keys.card(); ++i) {
    DcmElement* key = keys.getElement(i);
    if (key->ident() == EVR_SQ) {
      auto* sequence = static_cast<DcmSequenceOfItems*>(key);
      if (sequence->card() > 0 && !is_universal(*sequence->getItem(0))) return false;
    } else if (!text_of(keys, key->getTag()).empty()) {
      return false;
    }
  }
  return true;
}

bool sequence_matches(DcmSequenceOfItems& keys, DcmSequenceOfItems& values) {
  if (keys.card() == 0 || is_universal(*keys.getItem(0))) return true;
  for (unsigned long i = 0; i < values.card(); ++i) {
    if (all_match(*keys.getItem(0), *values.getItem(i))) return true;
  }
  return false;
}

// Both keys as ranges make one span; then neither is matched alone.
bool has_span(DcmItem& keys) {
  return is_range(text_of(keys, DCM_ScheduledProcedureStepStartDate)) &&
         is_range(text_of(keys, DCM_ScheduledProcedureStepStartTime));
}

bool element_matches(DcmItem& keys, DcmElement& key, DcmItem& values) {
  DcmElement* value = nullptr;
  // An optional key the gateway does not know of is no reason to hide a step (PS3.4 C.2.2.1.3).
  if (values.findAndGetElement(key.getTag(), value).bad()) return true;
  if (key.ident() == EVR_SQ) {
    return value->ident() != EVR_SQ || sequence_matches(static_cast<DcmSequenceOfItems&>(key),
                                                        static_cast<DcmSequenceOfItems&>(*value));
  }
  const std::string wanted = text_of(keys, key.getTag());
  return wanted.empty() || matches(kind_of(value->ident()), wanted, text_of(values, key.getTag()));
}

bool all_match(DcmItem& keys, DcmItem& values) {
  const bool span = has_span(keys);
  if (span && !matches_span(text_of(keys, DCM_ScheduledProcedureStepStartDate),
                            text_of(keys, DCM_ScheduledProcedureStepStartTime),
                            text_of(values, DCM_ScheduledProcedureStepStartDate),
                            text_of(values, DCM_ScheduledProcedureStepStartTime))) {
    return false;
  }
  for (unsigned long i = 0; i < keys.card(); ++i) {
    DcmElement* key = keys.getElement(i);
    const DcmTagKey tag = key->getTag();
    if (is_no_key(tag)) continue;
    if (span &&
        (tag == DCM_ScheduledProcedureStepStartDate || tag == DCM_ScheduledProcedureStepStartTime))
      continue;
    if (!element_matches(keys, *key, values)) return false;
  }
  return true;
}

// Leaves of `values` only what `keys` asks for. False: something asked for is not known here.
bool restrict_to(DcmItem& keys, DcmItem& values) {
  bool all_known = true;
  for (unsigned long i = values.card(); i-- > 0;) {
    const DcmTagKey tag = values.getElement(i)->getTag();
    if (!keys.tagExists(tag)) delete values.remove(values.getElement(i));
  }
  for (unsigned long i = 0; i < keys.card(); ++i) {
    DcmElement* key = keys.getElement(i);
    if (is_no_key(key->getTag())) continue;
    DcmElement* value = nullptr;
    if (values.findAndGetElement(key->getTag(), value).bad()) {
      all_known = false;
      continue;
    }
    if (key->ident() != EVR_SQ || value->ident() != EVR_SQ) continue;
    auto& key_items = static_cast<DcmSequenceOfItems&>(*key);
    auto& value_items = static_cast<DcmSequenceOfItems&>(*value);
    if (key_items.card() == 0 || key_items.getItem(0)->card() == 0)
      continue;  // the whole sequence is asked for
    for (unsigned long item = 0; item < value_items.card(); ++item) {
      all_known = restrict_to(*key_items.getItem(0), *value_items.getItem(item)) && all_known;
    }
  }
  return all_known;
}

bool is_ascii_item(DcmItem& item) {
  for (unsigned long i = 0; i < item.card(); ++i) {
    DcmElement* element = item.getElement(i);
    if (element->ident() == EVR_SQ) {
      auto& sequence = static_cast<DcmSequenceOfItems&>(*element);
      for (unsigned long n = 0; n < sequence.card(); ++n) {
        if (!is_ascii_item(*sequence.getItem(n))) return false;
      }
    } else if (!is_ascii(text_of(item, element->getTag()))) {
      return false;
    }
  }
  return true;
}

// (0008,0005) is required only where text goes beyond ASCII, and some modalities stumble over it.
void write_in(DcmDataset& identifier, const std::string& character_set) {
  if (is_ascii_item(identifier)) return;
  constexpr char kUtf8[] = "ISO_IR 192";
  (void)identifier.putAndInsertString(DCM_SpecificCharacterSet, kUtf8);
  if (character_set == kUtf8) return;
  // DCMTK 3.6.9 writes what a set lacks in other letters; only what comes back unchanged may go
  // out.
  DcmDataset narrowed(identifier);
  if (narrowed.convertCharacterSet(kUtf8, character_set.c_str(), 0, OFTrue).bad()) return;
  DcmDataset back(narrowed);
  if (back.convertToUTF8().good() && back.compare(identifier) == 0) identifier = narrowed;
}

// What an index can look up: one value, no wildcard.
std::string plain_value(DcmItem& keys, const DcmTagKey& tag) {
  const std::string value = text_of(keys, tag);
  return has_wildcard(value) || value.find('\\') != std::string::npos ? std::string() : value;
}

bool is_date(std::string_view text) {
  return text.size() == 8 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

core::Result<WorklistQuery> WorklistQuery::parse(const std::string& bytes, E_TransferSyntax syntax,
                                                 const std::string& character_set) {
  WorklistQuery query;
  GW_TRY(query.keys_, parse_data_set(bytes, syntax));
  if (!character_set.empty() && text_of(*query.keys_, DCM_SpecificCharacterSet).empty())
    (void)query.keys_->putAndInsertString(DCM_SpecificCharacterSet, character_set.c_str());
  query.character_set_ = text_of(*query.keys_, DCM_SpecificCharacterSet);
  // Keys that cannot be decoded stay as they are; they then match nothing but themselves.
  (void)query.keys_->convertToUTF8();
  return query;
}

sync::WorklistSelection WorklistQuery::selection() const {
  sync::WorklistSelection selection;
  selection.patient_id = plain_value(*keys_, DCM_PatientID);
  selection.accession_number = plain_value(*keys_, DCM_AccessionNumber);
  const std::string name = text_of(*keys_, DCM_PatientName);
  selection.name = sync::fhir::pn_search_key(name.substr(0, name.find('=')));
  DcmItem* step = nullptr;
  if (keys_->findAndGetSequenceItem(DCM_ScheduledProcedureStepSequence, step, 0).bad())
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
  if (!all_match(*keys_, *identifier)) return {};
  Answer answer;
  answer.all_keys_supported = restrict_to(*keys_, *identifier);
  write_in(*identifier, answer_character_set(character_set_));
  answer.identifier = std::move(identifier);
  return answer;
}

}  // namespace gateway::adapters::dicom
