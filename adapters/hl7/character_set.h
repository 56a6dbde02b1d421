// The text of a message as UTF-8. MSH-18 names the character set (HL7 table 0211); where it is
// silent, the listener's own setting does, and where that is too, UTF-8 if the bytes are that, else
// Windows-1252. Senders that say Latin-1 and mean Windows-1252 are understood. A byte order mark
// wins over all.
#pragma once

#include <string>
#include <string_view>

namespace gateway::adapters::hl7 {

struct DecodedText {
  std::string utf8;
  bool is_damaged = false;      // some bytes were no text in that set: U+FFFD stands for them
  bool is_unknown_set = false;  // MSH-18 names a set we do not know; read as if it were silent
};

/// `bytes` is a whole frame; `default_set` is a table 0211 or IANA name, empty: none configured.
DecodedText decode_text(std::string_view bytes, std::string_view default_set);

/// True for a name decode_text() understands.
bool is_character_set(std::string_view name);

}  // namespace gateway::adapters::hl7
