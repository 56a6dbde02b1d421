// A framer gives the same events however its bytes are split over calls.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string_view>
#include <vector>

#include "adapters/frame/framer.h"

namespace gateway::fuzz {

/// The events of `bytes` fed in pieces whose lengths `seed` chooses; 0: in one piece.
inline std::vector<adapters::frame::FrameEvent> events_of(adapters::frame::Framer& framer,
                                                          std::string_view bytes,
                                                          std::uint32_t seed) {
  std::vector<adapters::frame::FrameEvent> events;
  while (!bytes.empty()) {
    std::size_t length = bytes.size();
    if (seed != 0) {
      seed = seed * 1664525U + 1013904223U;
      length = std::min<std::size_t>(1 + (seed >> 28U), bytes.size());
    }
    framer.feed(bytes.substr(0, length), {}, events);
    bytes.remove_prefix(length);
  }
  return events;
}

/// Ends the process with both lists' lengths where they differ.
inline void must_equal(const std::vector<adapters::frame::FrameEvent>& whole,
                       const std::vector<adapters::frame::FrameEvent>& split) {
  if (whole == split) return;
  std::cerr << "in one piece " << whole.size() << " events, in several " << split.size() << "\n";
  std::abort();
}

}  // namespace gateway::fuzz
