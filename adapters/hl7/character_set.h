// The text of a message as UTF-8. MSH-18 names the character set (HL7 table 0211); where it is
// silent, the listener's own setting does (adapters/mapping/character_set.h).
#pragma once

#include <string_view>

#include "adapters/mapping/character_set.h"

namespace gateway::adapters::hl7 {

using mapping::DecodedText;

/// `bytes` is a whole frame; `default_set` is a table 0211 or IANA name, empty: none configured.
DecodedText decode_text(std::string_view bytes, std::string_view default_set);

}  // namespace gateway::adapters::hl7
