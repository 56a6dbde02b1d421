// A data set of nothing but sequences in one another, as no device means it.
#pragma once

#include <string>

#include "adapters/dicom/element_header.h"

namespace gateway::adapters::dicom {

/// `levels` sequences of undefined length in one another, never ended; little endian.
inline std::string deep_data_set(int levels, Encoding encoding) {
  const std::string sequence = encoding == Encoding::implicit_little
                                   ? std::string("\x08\x00\x11\x11\xff\xff\xff\xff", 8)
                                   : std::string("\x08\x00\x11\x11SQ\x00\x00\xff\xff\xff\xff", 12);
  const std::string item("\xfe\xff\x00\xe0\xff\xff\xff\xff", 8);
  std::string bytes;
  for (int i = 0; i < levels; ++i) bytes += sequence + item;
  return bytes;
}

}  // namespace gateway::adapters::dicom
