// What a third-party adapter says is a line of JSON each, ended by LF. Empty lines are passed over.
// The first line is its hello, which is short; the connection counts as in the middle of a message
// until that is there.
#pragma once

#include <cstddef>
#include <memory>

#include "adapters/frame/framer.h"

namespace gateway::adapters::thirdparty {

/// The longest hello, its LF not counted.
inline constexpr std::size_t kHelloBytesMax = 4'096;

/// Lines longer than that come out as `oversize`, once each, with a beginning of at most
/// kHelloBytesMax bytes.
std::unique_ptr<frame::Framer> make_line_framer(std::size_t first_bytes_max,
                                                std::size_t line_bytes_max);

}  // namespace gateway::adapters::thirdparty
