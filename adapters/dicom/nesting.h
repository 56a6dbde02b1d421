// How deep sequences nest in an encoded data set (PS3.5 7.5), found without recursion: DCMTK reads,
// copies and frees them recursively, so a few bytes a level would end the daemon's stack. Pure.
#pragma once

#include <cstddef>
#include <string_view>

#include "adapters/dicom/element_header.h"

namespace gateway::adapters::dicom {

/// Bytes that need not be in memory together.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual std::size_t size() const = 0;
  /// Those from `offset` on, at most `most`, until the next call; fewer only at the end or where
  /// they cannot be read.
  virtual std::string_view at(std::size_t offset, std::size_t most) = 0;
};

/// False when sequences may nest deeper than `levels_max` (a sequence and its item are one level),
/// whether their lengths are defined or not. Errs to the safe side: from what cannot be followed on
/// every item counts as a level of its own. Fragments of encapsulated pixel data nest nothing.
bool nests_at_most(std::string_view bytes, Encoding encoding, std::size_t levels_max);
bool nests_at_most(ByteSource& bytes, Encoding encoding, std::size_t levels_max);

}  // namespace gateway::adapters::dicom
