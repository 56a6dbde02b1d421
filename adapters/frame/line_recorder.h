// What passes on a device's connections while somebody records it, in both directions, bounded. It
// lies in memory until end() hands it out; nothing here writes to a disk.
//
// A recording is the line "clinic-gateway-capture 1" and then, for each piece in the order it
// passed, a line "MS CONNECTION H|S LENGTH" (milliseconds since it began, number of the connection,
// heard or said) with that many bytes and a line feed behind it.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace gateway::adapters::frame {

enum class Direction : char {
  heard = 'H',
  said = 'S',
};

/// Thread-safe.
class LineRecorder {
 public:
  static constexpr std::size_t kBytesMax = 4U << 20;  // what passes later is not recorded

  /// False: it is recording already.
  bool begin(core::Monotonic now);
  /// What was recorded; nothing: nobody was recording.
  std::optional<std::string> end();

  struct State {
    bool is_recording = false;
    bool is_full = false;
    std::size_t bytes = 0;
  };
  State state() const;

  /// A number for a connection that begins.
  std::uint64_t next_connection() { return ++connections_; }
  void note(std::uint64_t connection, Direction direction, std::string_view bytes,
            core::Monotonic now);

 private:
  std::atomic<bool> is_recording_{false};
  std::atomic<std::uint64_t> connections_{0};
  mutable std::mutex mutex_;
  core::Monotonic began_{};
  bool is_full_ = false;
  std::string recorded_;
};

/// What a device said on each of the connections that were recorded, in the order they began.
/// Code::invalid: it is no recording.
core::Result<std::vector<std::string>> heard_in(std::string_view recording);

}  // namespace gateway::adapters::frame
