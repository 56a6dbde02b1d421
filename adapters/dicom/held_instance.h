// One held instance looked into, as DICOMweb gives it out in parts (PS3.18 8.6 to 8.9, 10.4): its
// metadata, values, frames and pictures, the patient as shown. Costs memory for what is asked for,
// not for the object. No type of DCMTK is visible.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/clock.h"
#include "core/json.h"
#include "core/result.h"
#include "sync/archive.h"
#include "sync/holdings.h"

namespace gateway::adapters::dicom {

/// One frame or value given as a whole may be this long.
inline constexpr std::uint64_t kFrameBytesMax = 128u << 20;

enum class PictureFormat { jpeg, png };

/// For one thread at a time. Errors: Code::invalid: it is not such an object, or cannot be decoded;
/// Code::not_found: it has no such part; Code::corrupt.
class HeldInstance {
 public:
  /// Code::not_found: it has gone, or is held back.
  static core::Result<std::unique_ptr<HeldInstance>> open(sync::Holdings& holdings,
                                                          const core::Clock& clock,
                                                          std::int64_t row);
  virtual ~HeldInstance() = default;

  virtual const sync::ArchiveInstance& about() const = 0;
  /// DICOM JSON Model. Of an object that cannot be read: what the index has of it.
  virtual core::Result<core::Json> metadata(const std::string& bulk_base) = 0;

  virtual core::Result<std::uint32_t> frames() = 0;
  /// From 1 on; decoded to explicit little endian, or the bytes as they are held.
  virtual core::Result<std::string> frame(std::uint32_t number, bool as_held) = 0;
  /// From 1 on; with the window the image asks for. `edge_max` pixels on its longer edge; 0: as
  /// many as it has.
  virtual core::Result<std::string> picture(std::uint32_t frame, PictureFormat format,
                                            std::uint32_t edge_max) = 0;

  /// Bytes of the value at a place of metadata()'s BulkDataURIs, in little endian. Not of
  /// encapsulated pixels, which have frames.
  virtual core::Result<std::uint64_t> bulk_size(const std::string& place) = 0;
  virtual core::Result<std::string> bulk(const std::string& place, std::uint64_t offset,
                                         std::size_t most) = 0;
};

/// Media type of a frame as held in the transfer syntax (PS3.18 8.7.3.3.2);
/// application/octet-stream where that is not compressed.
std::string frame_media_type(const std::string& transfer_syntax);

/// Can an object held in the syntax be written in `wanted`, which may be the same?
bool can_give(const std::string& transfer_syntax, const std::string& wanted);

}  // namespace gateway::adapters::dicom
