#include "adapters/dicom/held_instance.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dccodec.h>
#include <dcmtk/dcmdata/dcpixseq.h>
#include <dcmtk/dcmdata/dcpxitem.h>
#include <dcmtk/dcmdata/dctk.h>

#include <algorithm>
#include <map>

#include "adapters/dicom/archive_identifier.h"
#include "adapters/dicom/held_object.h"
#include "adapters/dicom/json_model.h"
#include "adapters/dicom/lazy_data_set.h"
#include "adapters/dicom/picture.h"
#include "core/text.h"

namespace gateway::adapters::dicom {
namespace {

using core::cat;
using core::Code;
using core::Error;

bool is_encapsulated(const std::string& transfer_syntax) {
  return DcmXfer(transfer_syntax.c_str()).isEncapsulated();
}

/// The fragments of one frame (PS3.5 A.4), `frame` from 0 on.
class Fragments {
 public:
  static core::Result<Fragments> of(DcmPixelSequence& sequence, std::uint32_t frame,
                                    std::uint32_t frames) {
    Fragments fragments(sequence);
    // The first item is the offset table.
    const auto count = static_cast<std::uint32_t>(sequence.card());
    if (count < 2) return Error(Code::invalid, "its pixel data has no fragments");
    GW_TRY(fragments.begin_, fragments.first(frame, frames, count));
    fragments.end_ = count;
    if (frame + 1 < frames) {
      GW_TRY(fragments.end_, fragments.first(frame + 1, frames, count));
    }
    if (fragments.begin_ >= fragments.end_)
      return Error(Code::invalid, "which fragments are of which frame cannot be told");
    return fragments;
  }

  core::Result<std::string> read() {
    std::string bytes;
    for (std::uint32_t i = begin_; i < end_; ++i) {
      DcmPixelItem* item = nullptr;
      if (sequence_->getItem(item, i).bad()) return Error(Code::invalid, "a fragment is missing");
      const std::uint32_t length = item->getLength();
      if (bytes.size() + length > kFrameBytesMax)
        return Error(Code::invalid, "the frame is too long; retrieve the instance");
      const std::size_t before = bytes.size();
      bytes.resize(before + length);
      if (length > 0 && item->getPartialValue(bytes.data() + before, 0, length).bad())
        return Error(Code::corrupt, "a fragment cannot be read");
    }
    return bytes;
  }

 private:
  explicit Fragments(DcmPixelSequence& sequence) : sequence_(&sequence) {}

  core::Result<std::uint32_t> first(std::uint32_t frame, std::uint32_t frames,
                                    std::uint32_t count) {
    if (frame == 0) return 1u;
    if (count == frames + 1) return frame + 1;
    Uint32 item = 0;
    if (DcmCodec::determineStartFragment(frame, static_cast<Sint32>(frames), sequence_, item).bad())
      return Error(Code::invalid, "which fragments are of which frame cannot be told");
    return item;
  }

  DcmPixelSequence* sequence_;
  std::uint32_t begin_ = 1;
  std::uint32_t end_ = 1;
};

class Instance final : public HeldInstance {
 public:
  explicit Instance(sync::RetrievedInstance found) : found_(std::move(found)) {}

  core::Status read(crypto::ObjectStore& objects, const core::Clock& clock) {
    GW_TRY(auto reader, objects.open_object(found_.instance.object_id));
    auto data_set = open_data_set(std::move(reader), found_.instance);
    if (!data_set.ok()) {
      if (data_set.error().code() != Code::invalid) return data_set.error();
      unread_ = data_set.error();
      return {};
    }
    data_set_ = std::move(*data_set);
    if (found_.patient.is_corrected)
      return correct_identity(*data_set_, found_.patient, dicom_now(clock));
    return {};
  }

  const sync::ArchiveInstance& about() const override { return found_.instance; }

  core::Result<core::Json> metadata(const std::string& bulk_base) override {
    const sync::ArchiveInstance& held = found_.instance;
    if (!data_set_) return to_dicom_json(*of_index(), bulk_base);
    // What else it may be asked for in (PS3.3 C.12.1.1, PS3.18 8.7.3.5.2).
    (void)data_set_->putAndInsertString(DCM_AvailableTransferSyntaxUID,
                                        held.transfer_syntax_uid.c_str());
    return to_dicom_json(*data_set_, bulk_base);
  }

  core::Result<std::uint32_t> frames() override {
    GW_TRY(DcmPixelData * pixels, pixel_data());
    (void)pixels;
    Sint32 count = 1;
    if (data_set_->findAndGetSint32(DCM_NumberOfFrames, count).bad() || count < 1) count = 1;
    return static_cast<std::uint32_t>(count);
  }

  core::Result<std::string> frame(std::uint32_t number, bool as_held) override {
    GW_TRY(DcmPixelData * pixels, pixel_data());
    GW_CHECK(check_frame(number));
    GW_TRY(const std::uint32_t all, frames());
    if (as_held && is_encapsulated(found_.instance.transfer_syntax_uid)) {
      DcmPixelSequence* sequence = nullptr;
      if (pixels->getEncapsulatedRepresentation(data_set_->getOriginalXfer(), nullptr, sequence)
              .bad() ||
          sequence == nullptr)
        return Error(Code::invalid, "its pixel data cannot be read");
      GW_TRY(Fragments fragments, Fragments::of(*sequence, number - 1, all));
      return fragments.read();
    }
    GW_TRY(const std::uint32_t size, frame_size(*pixels));
    std::string bytes(size + size % 2, '\0');
    Uint32 start = 0;
    OFString color_model;
    if (pixels
            ->getUncompressedFrame(data_set_.get(), number - 1, start, bytes.data(),
                                   static_cast<Uint32>(bytes.size()), color_model)
            .bad())
      return Error(Code::invalid, "the frame cannot be decoded here");
    bytes.resize(size);
    return bytes;
  }

  core::Result<std::string> picture(std::uint32_t number, PictureFormat format,
                                    std::uint32_t edge_max) override {
    GW_TRY(DcmPixelData * pixels, pixel_data());
    GW_CHECK(check_frame(number));
    GW_CHECK(frame_size(*pixels));
    return make_picture(*data_set_, number - 1, format, edge_max);
  }

  core::Result<std::uint64_t> bulk_size(const std::string& place) override {
    GW_TRY(DcmElement * element, value_at(place));
    return element->getLength();
  }

  core::Result<std::string> bulk(const std::string& place, std::uint64_t offset,
                                 std::size_t most) override {
    GW_TRY(DcmElement * element, value_at(place));
    const std::uint64_t length = element->getLength();
    std::string bytes(
        static_cast<std::size_t>(std::min<std::uint64_t>(most, length - std::min(offset, length))),
        '\0');
    if (!bytes.empty() &&
        element
            ->getPartialValue(bytes.data(), static_cast<Uint32>(offset),
                              static_cast<Uint32>(bytes.size()), nullptr, EBO_LittleEndian)
            .bad())
      return Error(Code::corrupt, "the value cannot be read");
    return bytes;
  }

 private:
  std::unique_ptr<DcmDataset> of_index() const {
    auto known = std::make_unique<DcmDataset>();
    put_patient(*known, found_.patient);
    put_instance(*known, found_.instance);
    (void)known->putAndInsertString(DCM_StudyInstanceUID, found_.instance.study_uid.c_str());
    (void)known->putAndInsertString(DCM_SeriesInstanceUID, found_.instance.series_uid.c_str());
    (void)known->putAndInsertString(DCM_SpecificCharacterSet, "ISO_IR 192");
    return known;
  }

  core::Result<DcmPixelData*> pixel_data() {
    if (!data_set_) return unread_;
    DcmElement* element = nullptr;
    (void)data_set_->findAndGetElement(DCM_PixelData, element);
    auto* pixels = dynamic_cast<DcmPixelData*>(element);
    if (pixels == nullptr) return Error(Code::not_found, "the instance holds no pixels");
    return pixels;
  }

  core::Status check_frame(std::uint32_t number) {
    GW_TRY(const std::uint32_t count, frames());
    if (number >= 1 && number <= count) return {};
    return Error(Code::not_found, cat("the instance has frames 1 to ", count));
  }

  /// Also the bound on what is decoded.
  core::Result<std::uint32_t> frame_size(DcmPixelData& pixels) {
    Uint16 rows = 0;
    Uint16 columns = 0;
    Uint16 samples = 1;
    Uint16 bits = 8;
    (void)data_set_->findAndGetUint16(DCM_Rows, rows);
    (void)data_set_->findAndGetUint16(DCM_Columns, columns);
    (void)data_set_->findAndGetUint16(DCM_SamplesPerPixel, samples);
    (void)data_set_->findAndGetUint16(DCM_BitsAllocated, bits);
    const std::uint64_t bytes = std::uint64_t{rows} * columns * samples * ((bits + 7u) / 8u);
    Uint32 size = 0;
    if (bytes == 0 || bytes > kFrameBytesMax ||
        pixels.getUncompressedFrameSize(data_set_.get(), size).bad() || size > kFrameBytesMax)
      return Error(Code::invalid, "its pixels are of no size that is decoded here");
    return size;
  }

  core::Result<DcmElement*> value_at(const std::string& place) {
    if (!data_set_) return unread_;
    DcmElement* element = element_at(*data_set_, place);
    auto* pixels = dynamic_cast<DcmPixelData*>(element);
    DcmPixelSequence* fragments = nullptr;
    const bool has_frames =
        pixels != nullptr &&
        pixels->getEncapsulatedRepresentation(data_set_->getOriginalXfer(), nullptr, fragments)
            .good() &&
        fragments != nullptr;
    if (element == nullptr || has_frames || element->getLength() == DCM_UndefinedLength ||
        element->getVR() == EVR_SQ)
      return Error(Code::not_found, "the instance has no such value");
    return element;
  }

  const sync::RetrievedInstance found_;
  std::unique_ptr<DcmDataset> data_set_;  // null: it cannot be read
  Error unread_{Code::invalid, ""};
};

}  // namespace

core::Result<std::unique_ptr<HeldInstance>> HeldInstance::open(sync::Holdings& holdings,
                                                               const core::Clock& clock,
                                                               std::int64_t row) {
  GW_TRY(auto found, holdings.database().read_value<sync::RetrievedInstance>(
                         [&](crypto::Connection& connection) {
                           return sync::retrieved_instance(
                               connection, row, holdings.options().ingest.patient_id_issuer);
                         }));
  if (!found.instance.is_held)
    return Error(Code::not_found, "the bytes of the instance are not here any more");
  register_codecs();
  auto instance = std::make_unique<Instance>(std::move(found));
  GW_CHECK(instance->read(holdings.objects(), clock));
  return std::unique_ptr<HeldInstance>(std::move(instance));
}

std::string frame_media_type(const std::string& transfer_syntax) {
  if (!is_encapsulated(transfer_syntax)) return "application/octet-stream";
  static const std::map<std::string, std::string, std::less<>> kTypes = {
      {UID_RLELosslessTransferSyntax, "image/dicom-rle"},
      {UID_JPEGLSLosslessTransferSyntax, "image/jls"},
      {UID_JPEGLSLossyTransferSyntax, "image/jls"},
      {UID_JPEG2000LosslessOnlyTransferSyntax, "image/jp2"},
      {UID_JPEG2000TransferSyntax, "image/jp2"},
      {UID_JPEG2000Part2MulticomponentImageCompressionLosslessOnlyTransferSyntax, "image/jpx"},
      {UID_JPEG2000Part2MulticomponentImageCompressionTransferSyntax, "image/jpx"},
      {UID_MPEG2MainProfileAtMainLevelTransferSyntax, "video/mpeg2"},
      {UID_MPEG2MainProfileAtHighLevelTransferSyntax, "video/mpeg2"}};
  const auto known = kTypes.find(transfer_syntax);
  if (known != kTypes.end()) return known->second;
  // JPEG's processes are .50 to .70; the later ones MPEG-4 and HEVC.
  constexpr std::string_view kFamily = "1.2.840.10008.1.2.4.";
  if (!transfer_syntax.starts_with(kFamily)) return "application/octet-stream";
  const std::string_view last = std::string_view(transfer_syntax).substr(kFamily.size());
  if (last.size() == 2 && last <= "70") return "image/jpeg";
  if (last.starts_with("10")) return "video/mp4";
  return "application/octet-stream";
}

bool can_give(const std::string& transfer_syntax, const std::string& wanted) {
  register_codecs();
  return wanted == transfer_syntax || can_decode(transfer_syntax, wanted);
}

}  // namespace gateway::adapters::dicom
