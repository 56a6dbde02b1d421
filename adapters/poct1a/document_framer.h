// Cuts what a POCT1-A device sends into its XML documents, bare or in MLLP's frame (0x0B document
// 0x1C; XML 1.0 has neither character). A bare document ends with the tag that closes its root.
// Only what is needed to find that end is looked at: tags, quotes, comments, CDATA sections,
// processing instructions and declarations; whether it is XML is for the parser to say.
//
// Tolerated: anything between documents, a byte order mark, a missing 0x0D behind a frame. 0x0B in
// a document, or an XML declaration in a bare one, begins another: the unfinished one comes out as
// `broken`.
// Of an oversized or broken document the first 64 KB are kept for people to see. Text in UTF-16 is
// skipped.
#pragma once

#include <cstddef>
#include <memory>

#include "adapters/frame/framer.h"

namespace gateway::adapters::poct1a {

inline constexpr std::size_t kBrokenBytesKept = 64U << 10;

/// Its events: message, broken, oversize.
class DocumentFramer : public frame::Framer {
 public:
  static std::unique_ptr<DocumentFramer> create(std::size_t document_bytes_max);
  /// The newest document came in MLLP's frame: so must what is said to the device.
  virtual bool is_mllp() const = 0;
};

}  // namespace gateway::adapters::poct1a
