#include "adapters/dicom/lossless.h"

#include <dcmtk/dcmdata/dcistrmb.h>
#include <dcmtk/dcmjpls/djencode.h>

#include <mutex>

#include "adapters/dicom/encoded_file.h"
#include "adapters/dicom/held_object.h"

namespace gateway::adapters::dicom {
namespace {

void register_encoder() {
  register_codecs();
  static std::once_flag once;
  std::call_once(once, [] { DJLSEncoderRegistration::registerCodecs(); });
}

/// As it would be written without compression: that is what must come out again.
std::optional<std::string> plain_bytes(DcmDataset& data_set) {
  auto file = encode_file(data_set, "", "", UID_LittleEndianExplicitTransferSyntax);
  if (!file.ok()) return std::nullopt;
  return std::move(*file);
}

bool comes_out_the_same(const std::string& compressed, DcmDataset& data_set) {
  const auto wanted = plain_bytes(data_set);
  if (!wanted) return false;
  DcmInputBufferStream stream;
  stream.setBuffer(compressed.data(), static_cast<offile_off_t>(compressed.size()));
  stream.setEos();
  DcmFileFormat file;
  file.transferInit();
  const bool is_read = file.read(stream).good();
  file.transferEnd();
  if (!is_read || file.getDataset()->chooseRepresentation(EXS_LittleEndianExplicit, nullptr).bad())
    return false;
  return plain_bytes(*file.getDataset()) == wanted;
}

}  // namespace

std::optional<std::string> compress_lossless(DcmDataset& data_set, const std::string& sop_class_uid,
                                             const std::string& sop_instance_uid) {
  register_encoder();
  if (!data_set.tagExists(DCM_PixelData)) return std::nullopt;
  DcmDataset small(data_set);
  if (small.chooseRepresentation(EXS_JPEGLSLossless, nullptr).bad() ||
      !small.canWriteXfer(EXS_JPEGLSLossless))
    return std::nullopt;
  auto file = encode_file(small, sop_class_uid, sop_instance_uid, UID_JPEGLSLosslessTransferSyntax);
  if (!file.ok() || !comes_out_the_same(*file, data_set)) return std::nullopt;
  return std::move(*file);
}

}  // namespace gateway::adapters::dicom
