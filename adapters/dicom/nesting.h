// How deep sequences nest in an encoded data set (PS3.5 7.5), found without recursion: DCMTK reads,
// copies and frees them recursively, so a few bytes a level would end the daemon's stack. Pure.
#pragma once

#include <cstddef>
#include <string_view>

#include "adapters/dicom/element_header.h"

namespace gateway::adapters::dicom {

/// False when sequences may nest deeper than `levels_max` (a sequence and its item are one level),
/// whether their lengths are defined or not. Errs to the safe side: from what cannot be followed on
/// every item counts as a level of its own.
bool nests_at_most(std::string_view bytes, Encoding encoding, std::size_t levels_max);

}  // namespace gateway::adapters::dicom
