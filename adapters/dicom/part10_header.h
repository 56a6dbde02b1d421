// The start of a DICOM file (PS3.10 7.1): preamble, prefix and File Meta Information, to stand
// before a data set kept as received. Pure.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace gateway::adapters::dicom {

/// UIDs of at most 64 characters. `source_ae_title`: the sender's.
std::vector<std::byte> part10_header(std::string_view sop_class_uid,
                                     std::string_view sop_instance_uid,
                                     std::string_view transfer_syntax_uid,
                                     std::string_view source_ae_title);

}  // namespace gateway::adapters::dicom
