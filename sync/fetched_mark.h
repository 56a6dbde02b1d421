// The mark of an object whose bytes a PACS gave out, in the preamble of its DICOM file (PS3.10 7.1:
// for the use of who writes the file): so that it is told from what the clinic made where only the
// object is left (sync/rebuild.h). It names the object, so a copy of the file elsewhere has no
// mark.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "core/result.h"
#include "crypto/objects.h"

namespace gateway::sync {

/// The bytes of a DICOM file on their way into `writer`, which gets as many; the preamble becomes
/// the mark.
class MarkedWriter {
 public:
  MarkedWriter(crypto::SealedWriter& writer, const std::string& uplink);
  core::Status append(std::span<const std::byte> bytes);

 private:
  crypto::SealedWriter& writer_;
  std::string left_;  // of the mark
};

/// The uplink the bytes of object `id` came by, which begin with `bytes`; empty: it has no mark.
std::string fetched_from(std::span<const std::byte> bytes, const std::string& id);

}  // namespace gateway::sync
