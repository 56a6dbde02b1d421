// A held object on its way out: its data set's bytes as they were received, or, where the peer
// takes another transfer syntax or the patient's identity was corrected meanwhile, the data set
// decoded and written anew. Internal to adapters/dicom.
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include <memory>
#include <string>

#include "core/clock.h"
#include "core/result.h"
#include "crypto/objects.h"
#include "sync/archive.h"

namespace gateway::adapters::dicom {

/// An object that has to be decoded is in memory as a whole: no longer one, and one at a time.
inline constexpr std::uint64_t kDecodedBytesMax = 512u << 20;

/// Once, before any decode_object().
void register_codecs();

/// Can a data set held in the syntax be given in `wanted`, which is not the same?
bool can_decode(const std::string& transfer_syntax, const std::string& wanted);

/// Code::invalid: it cannot be decoded to `transfer_syntax` (or encoded anew in its own).
core::Result<std::unique_ptr<DcmDataset>> decode_object(
    std::shared_ptr<crypto::SealedReader> reader, const sync::ArchiveInstance& instance,
    const std::string& transfer_syntax);

/// The moment as DT, in UTC.
std::string dicom_now(const core::Clock& clock);

/// Puts the patient as shown into the data set, with what was there in an Original Attributes
/// Sequence (PS3.3 C.12.1.1.9). `at`: DICOM DT.
core::Status correct_identity(DcmDataset& data_set, const sync::ShownPatient& patient,
                              const std::string& at);

}  // namespace gateway::adapters::dicom
