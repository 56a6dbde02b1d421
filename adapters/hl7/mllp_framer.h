// The minimal lower layer protocol (HL7 v2.5.1 Appendix C.4; IHE): 0x0B message 0x1C 0x0D.
//
// Tolerated: anything before the start byte; a missing 0x0D when the next start byte or a pause of
// half a second follows 0x1C; 0x0B and 0x1C inside a message. A start byte followed by a segment
// that begins messages ends a message that was left unfinished: it comes out as `broken`.
#pragma once

#include <cstddef>
#include <memory>

#include "adapters/frame/framer.h"

namespace gateway::adapters::hl7 {

/// Of an oversized or broken message this much is kept for people to see.
inline constexpr std::size_t kBrokenBytesKept = 64U << 10;

std::unique_ptr<frame::Framer> make_mllp_framer(std::size_t message_bytes_max);

/// The message in its frame.
std::string mllp_frame(std::string_view message);

}  // namespace gateway::adapters::hl7
