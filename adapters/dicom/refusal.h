// What the peer of a refused C-STORE or C-FIND is told (PS3.4 B.2.3 and K.4.1.1.4, PS3.7 C). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "sync/imaging.h"

namespace gateway::adapters::dicom {

inline constexpr std::uint16_t kSuccess = 0x0000;
inline constexpr std::uint16_t kProcessingFailure = 0x0110;
inline constexpr std::uint16_t kOutOfResources = 0xa700;
inline constexpr std::uint16_t kDoesNotMatch = 0xa900;
inline constexpr std::uint16_t kCannotUnderstand = 0xc000;

/// A failure status and its Error Comment (0000,0902): LO, at most 64 ASCII characters, no patient
/// data.
struct Refusal {
  std::uint16_t status = kProcessingFailure;
  std::string comment;
};

/// Out of resources for what passes by itself (no space, busy, locked), cannot understand for wrong
/// input, else processing failure.
Refusal refusal_for(core::Code code);

/// Nothing when the data set is what its command said it is and names its study and series.
std::optional<Refusal> check_identity(const sync::InstanceFacts& facts,
                                      std::string_view sop_class_uid,
                                      std::string_view sop_instance_uid);

}  // namespace gateway::adapters::dicom
