#include "adapters/dicom/identifier_keys.h"

#include <dcmtk/dcmdata/dctk.h>

#include <string_view>

#include "adapters/dicom/attribute_matching.h"
#include "adapters/dicom/character_sets.h"
#include "adapters/dicom/command_data_set.h"

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

// Of several values one that matches is enough (PS3.4 C.2.2.2.1 to 5).
bool any_matches(DcmEVR vr, std::string_view wanted, std::string_view values) {
  const bool is_list = vr == EVR_CS || vr == EVR_UI;
  while (true) {
    const auto end = is_list ? values.find('\\') : values.npos;
    if (matches(kind_of(vr), wanted, values.substr(0, end))) return true;
    if (end == values.npos) return false;
    values.remove_prefix(end + 1);
  }
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
  return wanted.empty() || any_matches(value->ident(), wanted, text_of(values, key.getTag()));
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

}  // namespace

std::string plain_value(DcmItem& keys, const DcmTagKey& tag) {
  const std::string value = text_of(keys, tag);
  return has_wildcard(value) || value.find('\\') != std::string::npos ? std::string() : value;
}

core::Result<IdentifierKeys> IdentifierKeys::parse(const std::string& bytes,
                                                   E_TransferSyntax syntax,
                                                   const std::string& character_set) {
  IdentifierKeys identifier;
  GW_TRY(identifier.keys_, parse_data_set(bytes, syntax));
  if (!character_set.empty() && text_of(*identifier.keys_, DCM_SpecificCharacterSet).empty())
    (void)identifier.keys_->putAndInsertString(DCM_SpecificCharacterSet, character_set.c_str());
  identifier.character_set_ = text_of(*identifier.keys_, DCM_SpecificCharacterSet);
  // Keys that cannot be decoded stay as they are; they then match nothing but themselves.
  (void)identifier.keys_->convertToUTF8();
  return identifier;
}

IdentifierKeys IdentifierKeys::of(std::unique_ptr<DcmDataset> keys) {
  IdentifierKeys identifier;
  identifier.keys_ = std::move(keys);
  identifier.character_set_ = "ISO_IR 192";
  return identifier;
}

bool IdentifierKeys::match(DcmItem& values) const { return all_match(*keys_, values); }

bool IdentifierKeys::make_answer(DcmDataset& values) const {
  const bool all_known = restrict_to(*keys_, values);
  write_in(values, answer_character_set(character_set_));
  return all_known;
}

}  // namespace gateway::adapters::dicom
