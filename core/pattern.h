// Patterns as people write them for names: * and ?.
#pragma once

#include <string_view>

namespace gateway::core {

/// Whether the whole of `text` (UTF-8) is as `pattern` says: * stands for any characters, ? for
/// one.
bool matches_pattern(std::string_view pattern, std::string_view text);

}  // namespace gateway::core
