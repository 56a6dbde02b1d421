#include "adapters/dicom/held_object.h"

#include <dcmtk/dcmdata/dccodec.h>
#include <dcmtk/dcmdata/dcrledrg.h>
#include <dcmtk/dcmjpeg/djdecode.h>
#include <dcmtk/dcmjpls/djdecode.h>

#include <array>
#include <mutex>

#include "adapters/dicom/character_sets.h"
#include "adapters/dicom/lazy_data_set.h"
#include "core/text.h"

namespace gateway::adapters::dicom {
namespace {

using core::Code;
using core::Error;

E_TransferSyntax syntax_of(const std::string& uid) { return DcmXfer(uid.c_str()).getXfer(); }

struct Attribute {
  DcmTagKey tag;
  std::string sync::ShownPatient::*text;
};
const std::array kCorrected = {Attribute{DCM_PatientName, &sync::ShownPatient::name},
                               Attribute{DCM_PatientID, &sync::ShownPatient::id},
                               Attribute{DCM_PatientBirthDate, &sync::ShownPatient::birth_date},
                               Attribute{DCM_PatientSex, &sync::ShownPatient::sex}};

// What says whose the number is, or gives the person's other numbers: of another number, all of it
// is of somebody else.
const std::array kOfTheId = {DCM_IssuerOfPatientID, DCM_IssuerOfPatientIDQualifiersSequence,
                             DcmTagKey(0x0010, 0x1000),  // Other Patient IDs (retired)
                             DCM_OtherPatientIDsSequence};

void keep_original(DcmItem& originals, DcmDataset& data_set, const DcmTagKey& tag) {
  DcmElement* element = nullptr;
  if (data_set.findAndGetElement(tag, element, OFFalse, OFTrue).good() && element != nullptr)
    (void)originals.insert(element, OFTrue);
  else
    (void)originals.insertEmptyElement(tag);
}

void take_away(DcmItem& originals, DcmDataset& data_set, const DcmTagKey& tag) {
  if (!data_set.tagExists(tag)) return;
  keep_original(originals, data_set, tag);
  (void)data_set.findAndDeleteElement(tag);
}

std::string id_in(DcmDataset& data_set) {
  OFString id;
  (void)data_set.findAndGetOFStringArray(DCM_PatientID, id);
  return std::string(core::trim(std::string_view(id.c_str(), id.length())));
}

/// Of the pixel data when it is not compressed.
std::uint64_t decoded_bytes(DcmDataset& data_set) {
  const auto number = [&](const DcmTagKey& tag, std::uint64_t otherwise) {
    Uint16 value = 0;
    return data_set.findAndGetUint16(tag, value).good() ? std::uint64_t{value} : otherwise;
  };
  Sint32 frames = 1;
  if (data_set.findAndGetSint32(DCM_NumberOfFrames, frames).bad() || frames < 1) frames = 1;
  constexpr std::uint64_t kBitsAByte = 8;
  return number(DCM_Rows, 0) * number(DCM_Columns, 0) * number(DCM_SamplesPerPixel, 1) *
         ((number(DCM_BitsAllocated, kBitsAByte) + kBitsAByte - 1) / kBitsAByte) *
         static_cast<std::uint64_t>(frames);
}

Error too_long() {
  return {Code::invalid,
          core::cat("it is longer than the ", kDecodedBytesMax >> 20, " MB that are decoded")};
}

}  // namespace

void register_codecs() {
  static std::once_flag once;
  std::call_once(once, [] {
    DJDecoderRegistration::registerCodecs();
    DJLSDecoderRegistration::registerCodecs();
    DcmRLEDecoderRegistration::registerCodecs();
  });
}

bool can_decode(const std::string& transfer_syntax, const std::string& wanted) {
  const DcmXfer to(wanted.c_str());
  if (to.getXfer() == EXS_Unknown || to.isEncapsulated()) return false;
  const DcmXfer from(transfer_syntax.c_str());
  if (!from.isEncapsulated()) return from.getXfer() != EXS_Unknown;
  return DcmCodecList::canChangeCoding(from.getXfer(), EXS_LittleEndianExplicit);
}

core::Result<std::unique_ptr<DcmDataset>> decode_object(
    std::shared_ptr<crypto::SealedReader> reader, const sync::ArchiveInstance& instance,
    const std::string& transfer_syntax) {
  if (instance.data_set_bytes > kDecodedBytesMax) return too_long();
  GW_TRY(auto data_set, open_data_set(std::move(reader), instance));
  if (data_set->loadAllDataIntoMemory().bad())
    return Error(Code::invalid, "it cannot be read as a whole");
  if (transfer_syntax == instance.transfer_syntax_uid) return data_set;
  // A few megabytes of a compressed film may be gigabytes of pixels.
  if (decoded_bytes(*data_set) > kDecodedBytesMax) return too_long();
  if (data_set->chooseRepresentation(syntax_of(transfer_syntax), nullptr).bad() ||
      !data_set->canWriteXfer(syntax_of(transfer_syntax)))
    return Error(Code::invalid, "its pixel data cannot be decoded here");
  return data_set;
}

std::string dicom_now(const core::Clock& clock) {
  constexpr std::size_t kToTheSecond = 19;
  std::string digits;
  for (const char c : core::to_instant(clock.wall()).substr(0, kToTheSecond)) {
    if (c >= '0' && c <= '9') digits += c;
  }
  return digits + "+0000";
}

core::Status correct_identity(DcmDataset& data_set, const sync::ShownPatient& patient,
                              const std::string& at) {
  DcmItem* originals = nullptr;
  constexpr long kAppend = -2;
  DcmItem* record = nullptr;
  if (data_set.findOrCreateSequenceItem(DCM_OriginalAttributesSequence, record, kAppend).bad() ||
      record->findOrCreateSequenceItem(DCM_ModifiedAttributesSequence, originals, 0).bad())
    return Error(Code::invalid, "its identity cannot be corrected");
  (void)record->putAndInsertString(DCM_AttributeModificationDateTime, at.c_str());
  (void)record->putAndInsertString(DCM_ModifyingSystem, "clinic-gateway");
  (void)record->insertEmptyElement(DCM_SourceOfPreviousValues);
  (void)record->putAndInsertString(DCM_ReasonForTheAttributeModification, "COERCE");
  std::string all;
  for (const Attribute& attribute : kCorrected) {
    keep_original(*originals, data_set, attribute.tag);
    all += patient.*attribute.text;
  }
  // The corrected text may need letters the object's own character set lacks.
  if (!is_ascii(all)) {
    if (data_set.convertToUTF8().bad())
      return Error(Code::invalid, "its text cannot be written in UTF-8, as the correction needs");
  }
  if (id_in(data_set) != patient.id)
    for (const DcmTagKey& tag : kOfTheId) take_away(*originals, data_set, tag);
  for (const Attribute& attribute : kCorrected)
    (void)data_set.putAndInsertOFStringArray(attribute.tag, (patient.*attribute.text).c_str());
  return {};
}

}  // namespace gateway::adapters::dicom
