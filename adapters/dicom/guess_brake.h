// Slows down who guesses passcodes (user identity negotiation): after some wrong ones from an
// address it has to wait, ever longer, before another one is looked at. What is remembered is
// bounded; the address that was wrong the longest ago is forgotten first.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "core/clock.h"

namespace gateway::adapters::dicom {

/// For one thread at a time.
class GuessBrake {
 public:
  static constexpr std::size_t kAddressesMax = 1'024;
  static constexpr unsigned kWrongWithoutWait = 10;  // people mistype
  static constexpr core::Milliseconds kLongestWait{300'000};

  /// How long it still has to wait; nothing: it may try.
  std::optional<core::Milliseconds> wait_of(const std::string& address, core::Monotonic now) const;
  void was_wrong(const std::string& address, core::Monotonic now);
  void was_right(const std::string& address) { guesses_.erase(address); }
  std::size_t addresses() const { return guesses_.size(); }

 private:
  struct Guesses {
    unsigned wrong = 0;  // in a row
    core::Monotonic last;
    core::Monotonic next;  // not looked at before
  };
  std::map<std::string, Guesses> guesses_;
};

}  // namespace gateway::adapters::dicom
