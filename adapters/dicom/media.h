// DICOM files on media (PS3.10): taken in from a CD or a folder, given out, and the DICOMDIR over
// what was given out (PS3.3 F, PS3.11 D). No type of DCMTK is visible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "sync/holdings.h"

namespace gateway::adapters::dicom {

/// Who gives a file: what routes and the audit trail go by.
struct MediaSource {
  std::string name = "IMPORT";  // in place of a calling AE title
  std::string address = "local";
};

/// One file being taken in, piece by piece; the whole is never in memory. One thread.
class MediaImport {
 public:
  /// `patient`: id of the Patient a person said it is of; empty: it says itself whose it is.
  static std::unique_ptr<MediaImport> begin(std::shared_ptr<sync::Holdings> holdings,
                                            std::string patient, MediaSource source = {});
  virtual ~MediaImport() = default;
  /// Code::invalid: it is no DICOM file, or a DICOMDIR.
  virtual core::Status append(std::span<const std::byte> bytes) = 0;
  /// Committed. Code::invalid: it does not name its study, or is not the patient's.
  virtual core::Result<sync::StoreOutcome> finish() = 0;
};

/// A held instance as a file, the patient as shown.
class MediaExport {
 public:
  /// In `transfer_syntax`; empty: as it is held. Code::not_found: it has gone, or is held back;
  /// Code::invalid: it cannot be written anew, as the corrected identity or the syntax needs.
  static core::Result<std::unique_ptr<MediaExport>> open(sync::Holdings& holdings,
                                                         const core::Clock& clock, std::int64_t row,
                                                         const std::string& transfer_syntax = {});
  /// Bytes of memory it takes as long as it is there.
  virtual std::uint64_t memory() const = 0;
  virtual ~MediaExport() = default;
  /// At most `most` bytes; none at the end.
  virtual core::Result<std::string> read(std::uint64_t offset, std::size_t most) = 0;
};

struct DicomDirReport {
  std::size_t listed = 0;
  std::vector<std::string> unlisted;  // what DCMTK has no directory record for; the files stay
};
/// Writes DICOMDIR into `folder` over the files, named relative to it with / in between, each part
/// at most eight of A-Z, 0-9 and _.
core::Result<DicomDirReport> write_dicomdir(const std::string& folder,
                                            const std::vector<std::string>& files);

}  // namespace gateway::adapters::dicom
