// The times of day in which an uplink may be used, as the site's clocks show them: a link that is
// cheap or free at night, or that the clinic needs for itself by day. Pure.
#pragma once

#include <string>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace gateway::sync {

class UplinkHours {
 public:
  /// Always open.
  UplinkHours() = default;
  /// `spans`: "HH:MM-HH:MM" each, the end left out; one that ends before it begins goes past
  /// midnight. `zone`: an IANA name. Code::invalid: a span that is none, or has no length.
  static core::Result<UplinkHours> parse(const std::vector<std::string>& spans, std::string zone);

  bool is_limited() const { return !spans_.empty(); }
  bool is_open(core::Wall now) const;
  /// Until it is worth asking again: at the next begin or end, at the latest in a quarter of an
  /// hour, since clocks are put right and zones change theirs.
  core::Milliseconds until_change(core::Wall now) const;

 private:
  struct Span {
    int begin = 0;  // minutes of the day
    int end = 0;
  };
  /// Seconds of the site's day.
  int second_of_day(core::Wall now) const;

  std::vector<Span> spans_;
  std::string zone_;
};

}  // namespace gateway::sync
