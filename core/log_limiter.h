// How much one place in the code may log: 50 lines in 30 s, so that a flood of one cannot push out
// what the others say. Pure: the time is handed in. Bounded by the number of places there are. Not
// thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/clock.h"

namespace gateway::core {

class LogLimiter {
 public:
  static constexpr int kLinesMax = 50;
  static constexpr std::chrono::seconds kWindow{30};

  /// A line of the source; `file` lives as long as the process.
  using Place = std::pair<std::string_view, int>;

  enum class Admission {
    write,
    write_as_last,  // the next ones of this place are dropped until its window ends
    drop            // and counted
  };
  Admission admit(Place place, Monotonic now);

  struct Dropped {
    Place place;
    std::uint64_t lines = 0;
  };
  /// What was dropped in windows that have ended by `now`; each is told once. With `all` also in
  /// those that have not.
  std::vector<Dropped> take_dropped(Monotonic now, bool all = false);

 private:
  struct Window {
    Monotonic began;
    int written = 0;
    std::uint64_t dropped = 0;
  };

  std::map<Place, Window> windows_;
  std::size_t overflowing_ = 0;  // windows with something dropped: mostly none
};

}  // namespace gateway::core
