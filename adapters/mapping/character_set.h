// Text of a device as UTF-8, by the names HL7 table 0211 and IANA give character sets, and what
// senders write instead. Senders that say Latin-1 and mean Windows-1252 are understood. A byte
// order mark wins over all.
#pragma once

#include <string>
#include <string_view>

namespace gateway::adapters::mapping {

struct DecodedText {
  std::string utf8;
  bool is_damaged = false;      // some bytes were no text in that set: U+FFFD stands for them
  bool is_unknown_set = false;  // `named` is a set we do not know; read as if it were empty
};

/// `named`: the set the bytes themselves name; where that is empty, `default_set`; where that is
/// too, UTF-8 if the bytes are that, else Windows-1252.
DecodedText decode_text(std::string_view bytes, std::string_view named,
                        std::string_view default_set);

/// True for a name decode_text() understands.
bool is_character_set(std::string_view name);

}  // namespace gateway::adapters::mapping
