// What a third-party adapter hears: a line of JSON for each of its own, in their order
// (docs/third-party-adapters.md). Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/json.h"

namespace gateway::adapters::thirdparty {

std::string welcome(const std::string& device, std::size_t line_bytes_max);
/// On stable storage. `messages`: [{"number",...}].
std::string accepted(const std::string& id, core::Json messages);
/// Nothing is kept; it would be refused again.
std::string refused(const std::string& id, std::string_view reason);
/// Nothing is kept; it may be sent again after a while.
std::string later(const std::string& id, std::string_view reason, core::Milliseconds retry_after);

}  // namespace gateway::adapters::thirdparty
