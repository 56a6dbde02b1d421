// Text cut at delimiters, as HL7 v2 and LIS02 messages are. Nothing is copied: the pieces live as
// long as the text.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace gateway::adapters::mapping {

/// Cuts the next line off `rest`; any of CR, LF, CRLF ends it.
std::string_view next_line(std::string_view& rest);
std::string_view without_blanks_before(std::string_view line);
/// At least one piece.
std::vector<std::string_view> cut(std::string_view text, char delimiter);
/// The piece of that index alone, from 0; empty when there are fewer.
std::string_view piece(std::string_view text, char delimiter, std::size_t index);
/// How many pieces; 0 for an empty text.
std::size_t pieces(std::string_view text, char delimiter);

}  // namespace gateway::adapters::mapping
