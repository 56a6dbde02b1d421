// The start of a DICOM file (PS3.10 7.1): preamble, prefix and File Meta Information, to stand
// before a data set kept as received. Pure.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace gateway::adapters::dicom {

/// Who sent an object, and which of our titles it was sent to. Empty: left out.
struct ObjectTitles {
  std::string_view source;
  std::string_view receiving = {};
};

/// UIDs of at most 64 characters.
std::vector<std::byte> part10_header(std::string_view sop_class_uid,
                                     std::string_view sop_instance_uid,
                                     std::string_view transfer_syntax_uid,
                                     const ObjectTitles& titles);

}  // namespace gateway::adapters::dicom
