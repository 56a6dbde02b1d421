// The head of a DICOM Part 10 file (PS3.10 7.1): preamble, prefix and File Meta Information, which
// is always explicit little endian. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "core/result.h"

namespace gateway::sync {

struct Part10Head {
  std::string sop_class_uid;        // (0002,0002)
  std::string sop_instance_uid;     // (0002,0003)
  std::string transfer_syntax_uid;  // (0002,0010)
  std::string source_ae_title;      // (0002,0016)
  std::string receiving_ae_title;   // (0002,0018)
  std::uint64_t data_set_offset = 0;
};

/// A head longer than this is no head.
inline constexpr std::size_t kPart10HeadMax = 64U << 10;

/// Reads the head at the beginning of `bytes`; nothing while more bytes are needed. Code::invalid
/// when it is no Part 10 file.
core::Result<std::optional<Part10Head>> read_part10_head(std::span<const std::byte> bytes);

}  // namespace gateway::sync
