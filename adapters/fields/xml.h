// XML as devices write it, seen as JSON: an element with neither attributes nor children is its
// text; else an object, attributes under "@name", text under "#text", what repeats an array. Name
// prefixes are dropped, but for the second of two attributes that differ by it alone. A document
// type declaration is refused, with it entities; depth, number of elements and text are bounded.
// In the encoding it declares, of those that adapters/mapping/character_set.h knows. Pure.
#pragma once

#include <string_view>

#include "core/json.h"
#include "core/result.h"

namespace gateway::adapters::fields {

inline constexpr std::size_t kXmlDepthMax = 48;
inline constexpr std::size_t kXmlElementsMax = 200'000;

/// {"ROOT": ...}. Code::invalid says in which line what is wrong; it shows none of the text.
core::Result<core::Json> parse_xml(std::string_view text);

}  // namespace gateway::adapters::fields
