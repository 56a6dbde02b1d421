// Tells the records of one message apart that say the same thing was measured: two values of one
// test, of one specimen, at one time, are two results, unless the later corrects the earlier. Pure.
#pragma once

#include <cstddef>
#include <map>
#include <string>

namespace gateway::adapters::mapping {

class Replicates {
 public:
  struct Place {
    std::size_t number = 0;  // how many results of the key stand before it
    bool is_new = true;      // false: it takes the place of the one before it
  };

  /// `corrects`: the sender says so. What stands behind a correction is no correction of that.
  Place place_of(const std::string& key, bool corrects) {
    Seen& seen = seen_[key];
    const bool takes_place = corrects && seen.count > 0 && !seen.is_corrected;
    seen.is_corrected = corrects;
    if (takes_place) return {seen.count - 1, false};
    return {seen.count++, true};
  }

 private:
  struct Seen {
    std::size_t count = 0;
    bool is_corrected = false;  // the last of them
  };
  std::map<std::string, Seen> seen_;
};

}  // namespace gateway::adapters::mapping
