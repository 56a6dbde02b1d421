// What the DICOM adapter counts while it serves. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>

namespace gateway::adapters::dicom {

struct Traffic {
  using Count = std::atomic<std::uint64_t>;
  Count associations{0};
  Count associations_open{0};
  Count rejected{0};
  Count strangers{0};  // of these: callers nobody listed or approved
  Count echoes{0};
  Count stored{0};
  Count repeated{0};
  Count other_copies{0};
  Count refused{0};
  Count queries{0};
  Count retrieved{0};  // objects sent by C-GET and C-MOVE
  Count steps{0};      // messages of performed procedure steps recorded
  Count commitments_asked{0};
  Count commitments_told{0};
  Count bytes{0};                            // of data sets
  std::atomic<std::int64_t> last_seen{0};    // milliseconds since 1970 by the wall clock; 0: never
  std::atomic<bool> is_out_of_space{false};  // an image was refused for it, and none stored since
};

}  // namespace gateway::adapters::dicom
