#include "adapters/dicom/rejection_note.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include <algorithm>
#include <map>
#include <span>

#include "adapters/dicom/encoded_file.h"
#include "adapters/dicom/held_object.h"
#include "adapters/dicom/lazy_data_set.h"
#include "adapters/dicom/media.h"
#include "core/ids.h"
#include "core/text.h"

namespace gateway::adapters::dicom {
namespace {

using core::Code;
using core::Error;

constexpr char kScheme[] = "DCM";
// More is no note that anybody wrote.
constexpr std::uint64_t kNoteBytesMax = 64U << 20;

std::string text_of(DcmItem& item, const DcmTagKey& tag) {
  OFString text;
  (void)item.findAndGetOFString(tag, text);
  return std::string(core::trim(std::string_view(text.c_str(), text.length())));
}

std::vector<DcmItem*> items_of(DcmItem& item, const DcmTagKey& tag) {
  std::vector<DcmItem*> items;
  DcmSequenceOfItems* sequence = nullptr;
  if (item.findAndGetSequence(tag, sequence).bad() || sequence == nullptr) return items;
  // By next(): an item is found by its number from the list's beginning.
  for (DcmObject* one = sequence->nextInContainer(nullptr); one != nullptr;
       one = sequence->nextInContainer(one))
    items.push_back(static_cast<DcmItem*>(one));
  return items;
}

/// The title's reason; null: the note selects and does not withdraw.
const sync::RejectionReason* reason_of(DcmItem& document) {
  for (DcmItem* title : items_of(document, DCM_ConceptNameCodeSequence)) {
    const std::string code = text_of(*title, DCM_CodeValue);
    const auto* reason = sync::find_rejection_reason(code);
    if (reason != nullptr && reason->code == code &&
        text_of(*title, DCM_CodingSchemeDesignator) == kScheme)
      return reason;
  }
  return nullptr;
}

void put(DcmItem& item, const DcmTagKey& tag, const std::string& value) {
  if (value.empty())
    (void)item.insertEmptyElement(tag);
  else
    (void)item.putAndInsertOFStringArray(tag, value.c_str());
}

DcmItem& add_item(DcmItem& item, const DcmTagKey& tag) {
  DcmItem* added = nullptr;
  (void)item.findOrCreateSequenceItem(tag, added, -2);  // behind the others
  return *added;
}

void put_code(DcmItem& item, const DcmTagKey& tag, std::string_view value,
              std::string_view meaning) {
  DcmItem& code = add_item(item, tag);
  put(code, DCM_CodeValue, std::string(value));
  put(code, DCM_CodingSchemeDesignator, kScheme);
  put(code, DCM_CodeMeaning, std::string(meaning));
}

void put_reference(DcmItem& item, const sync::RejectedImages::Image& image) {
  DcmItem& reference = add_item(item, DCM_ReferencedSOPSequence);
  put(reference, DCM_ReferencedSOPClassUID, image.sop_class_uid);
  put(reference, DCM_ReferencedSOPInstanceUID, image.sop_instance_uid);
}

/// Of a content item (PS3.3 C.17.3): what is no picture is named as what it is.
const char* value_type(std::string_view sop_class) {
  constexpr std::string_view kStorage = "1.2.840.10008.5.1.4.1.1.";
  if (!sop_class.starts_with(kStorage)) return "COMPOSITE";
  sop_class.remove_prefix(kStorage.size());
  if (sop_class.starts_with("9.")) return "WAVEFORM";
  for (const std::string_view documents : {"11.", "88.", "104.", "66", "67"}) {
    if (sop_class.starts_with(documents)) return "COMPOSITE";
  }
  return "IMAGE";
}

void put_study(DcmItem& document, const sync::InstanceFacts& study) {
  put(document, DCM_SpecificCharacterSet, "ISO_IR 192");
  put(document, DCM_PatientName, study.patient_name);
  put(document, DCM_PatientID, study.patient_id);
  put(document, DCM_PatientBirthDate, study.birth_date);
  put(document, DCM_PatientSex, study.sex);
  put(document, DCM_StudyInstanceUID, study.study_instance_uid);
  put(document, DCM_StudyDate, study.study_date);
  put(document, DCM_StudyTime, study.study_time);
  put(document, DCM_ReferringPhysicianName, study.referring_physician);
  put(document, DCM_StudyID, study.study_id);
  put(document, DCM_AccessionNumber, study.accession_number);
  if (!study.study_description.empty())
    put(document, DCM_StudyDescription, study.study_description);
}

void put_content(DcmItem& document, const sync::RejectionReason& reason,
                 const std::vector<sync::RejectedImages::Image>& images) {
  put(document, DCM_ValueType, "CONTAINER");
  put_code(document, DCM_ConceptNameCodeSequence, reason.code, reason.meaning);
  put(document, DCM_ContinuityOfContent, "SEPARATE");
  DcmItem& content_template = add_item(document, DCM_ContentTemplateSequence);
  put(content_template, DCM_MappingResource, "DCMR");
  put(content_template, DCM_TemplateIdentifier, "2010");
  for (const auto& image : images) {
    DcmItem& content = add_item(document, DCM_ContentSequence);
    put(content, DCM_RelationshipType, "CONTAINS");
    put(content, DCM_ValueType, value_type(image.sop_class_uid));
    put_reference(content, image);
  }
}

/// Current Requested Procedure Evidence Sequence: by series, each once.
void put_evidence(DcmItem& document, const std::string& study_uid,
                  const std::vector<sync::RejectedImages::Image>& images) {
  DcmItem& study = add_item(document, DCM_CurrentRequestedProcedureEvidenceSequence);
  put(study, DCM_StudyInstanceUID, study_uid);
  std::map<std::string, DcmItem*> series;
  for (const auto& image : images) {
    DcmItem*& of_series = series[image.series_uid];
    if (of_series == nullptr) {
      of_series = &add_item(study, DCM_ReferencedSeriesSequence);
      put(*of_series, DCM_SeriesInstanceUID, image.series_uid);
    }
    put_reference(*of_series, image);
  }
}

core::Result<std::string> compose(const sync::RejectedImages& rejected,
                                  const sync::RejectionReason& reason, const core::Clock& clock,
                                  const std::string& note_uid) {
  DcmDataset document;
  const std::string now = dicom_now(clock);
  put(document, DCM_SOPClassUID, std::string(sync::kKeyObjectSelection));
  put(document, DCM_SOPInstanceUID, note_uid);
  put_study(document, rejected.study);
  put(document, DCM_Modality, "KO");
  put(document, DCM_SeriesInstanceUID, core::uid_from_uuid(core::new_uuid(clock)));
  put(document, DCM_SeriesNumber, "1");
  (void)document.insertEmptyElement(DCM_ReferencedPerformedProcedureStepSequence);
  put(document, DCM_Manufacturer, "clinic-gateway");
  put(document, DCM_InstanceNumber, "1");
  put(document, DCM_ContentDate, now.substr(0, 8));
  put(document, DCM_ContentTime, now.substr(8, 6));
  put(document, DCM_TimezoneOffsetFromUTC, "+0000");
  put_content(document, reason, rejected.images);
  put_evidence(document, rejected.study.study_instance_uid, rejected.images);
  return encode_file(document, std::string(sync::kKeyObjectSelection), note_uid,
                     UID_LittleEndianExplicitTransferSyntax);
}

}  // namespace

core::Result<std::optional<sync::RejectionNote>> read_rejection_note(
    crypto::ObjectStore& objects, const sync::ReceivedInstance& instance) {
  sync::ArchiveInstance held;
  held.transfer_syntax_uid = instance.facts.transfer_syntax_uid;
  held.data_set_offset = instance.data_set_offset;
  held.data_set_bytes = instance.object.size - instance.data_set_offset;
  if (held.data_set_bytes > kNoteBytesMax) return Error(Code::invalid, "it is too long");
  GW_TRY(auto reader, objects.open_object(instance.object.id));
  GW_TRY(const auto document, open_data_set(std::move(reader), held));
  const auto* reason = reason_of(*document);
  if (reason == nullptr) return std::optional<sync::RejectionNote>();
  sync::RejectionNote note{std::string(reason->code), {}};
  for (DcmItem* study : items_of(*document, DCM_CurrentRequestedProcedureEvidenceSequence)) {
    if (text_of(*study, DCM_StudyInstanceUID) != instance.facts.study_instance_uid) continue;
    for (DcmItem* series : items_of(*study, DCM_ReferencedSeriesSequence)) {
      for (DcmItem* image : items_of(*series, DCM_ReferencedSOPSequence)) {
        if (note.sop_instance_uids.size() == sync::kRejectedMax)
          return Error(Code::invalid, "it names too many images");
        note.sop_instance_uids.push_back(text_of(*image, DCM_ReferencedSOPInstanceUID));
      }
    }
  }
  return std::optional<sync::RejectionNote>(std::move(note));
}

core::Result<Withdrawn> withdraw(const std::shared_ptr<sync::Holdings>& holdings,
                                 const core::Clock& clock, const Withdrawal& wish) {
  const auto* reason = sync::find_rejection_reason(wish.reason);
  if (reason == nullptr)
    return Error(Code::invalid,
                 core::cat("\"", wish.reason,
                           "\" is no reason: quality, wrong-patient, wrong-entry or expired"));
  GW_TRY(
      const sync::RejectedImages rejected,
      sync::images_to_reject(*holdings, wish.study_uid, wish.series_uid, wish.sop_instance_uids));
  const std::string note_uid = core::uid_from_uuid(core::new_uuid(clock));
  GW_TRY(const std::string file, compose(rejected, *reason, clock, note_uid));
  const auto import = MediaImport::begin(holdings, "", {.name = "CLINICGW", .address = "local"});
  GW_CHECK(import->append(std::as_bytes(std::span(file))));
  GW_CHECK(import->finish());
  return Withdrawn{rejected.images.size(), note_uid};
}

}  // namespace gateway::adapters::dicom
