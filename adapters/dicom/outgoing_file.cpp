#include "adapters/dicom/outgoing_file.h"

#include "adapters/dicom/encoded_file.h"
#include "adapters/dicom/held_object.h"
#include "adapters/dicom/lossless.h"
#include "core/text.h"
#include "sync/archive.h"

namespace gateway::adapters::dicom {
namespace {

using core::Code;
using core::Error;

bool may_shrink(const sync::ArchiveInstance& instance) {
  return instance.data_set_bytes <= kCompressedBytesMax &&
         (instance.transfer_syntax_uid == UID_LittleEndianImplicitTransferSyntax ||
          instance.transfer_syntax_uid == UID_LittleEndianExplicitTransferSyntax);
}

bool saves_enough(std::size_t compressed, std::uint64_t held) {
  return compressed < held - held / 10;
}

}  // namespace

core::Result<std::optional<sync::SentForm>> write_outgoing(sync::Holdings& holdings,
                                                           const core::Clock& clock,
                                                           std::int64_t row, bool compresses) {
  GW_TRY(const auto found, holdings.database().read_value<sync::RetrievedInstance>(
                               [&](crypto::Connection& connection) {
                                 return sync::outgoing_instance(
                                     connection, row, holdings.options().ingest.patient_id_issuer);
                               }));
  const sync::ArchiveInstance& instance = found.instance;
  const bool shrinks = compresses && may_shrink(instance);
  if (!found.patient.disagrees && !shrinks) return std::optional<sync::SentForm>();
  GW_TRY(auto reader, holdings.objects().open_object(instance.object_id));
  auto data_set = decode_object(std::move(reader), instance, instance.transfer_syntax_uid);
  if (!data_set.ok() && !found.patient.disagrees) return std::optional<sync::SentForm>();
  if (!data_set.ok())
    return Error(Code::invalid,
                 core::cat("the patient's identity was corrected, and the image cannot be written "
                           "anew with it: ",
                           data_set.error().message()));
  if (found.patient.disagrees)
    GW_CHECK(correct_identity(**data_set, found.patient, dicom_now(clock)));
  if (shrinks) {
    auto file = compress_lossless(**data_set, instance.sop_class_uid, instance.sop_instance_uid);
    if (file && saves_enough(file->size(), instance.data_set_bytes))
      return std::optional(sync::SentForm{std::move(*file), true});
    if (!found.patient.disagrees) return std::optional<sync::SentForm>();
  }
  GW_TRY(std::string file, encode_file(**data_set, instance.sop_class_uid,
                                       instance.sop_instance_uid, instance.transfer_syntax_uid));
  return std::optional(sync::SentForm{std::move(file), false});
}

}  // namespace gateway::adapters::dicom
