#include "adapters/dicom/guess_brake.h"

#include <algorithm>

namespace gateway::adapters::dicom {
namespace {

constexpr core::Milliseconds kFirstWait{1'000};
constexpr unsigned kDoublingsMax = 16;  // far beyond the longest wait

core::Milliseconds wait_after(unsigned wrong) {
  if (wrong < GuessBrake::kWrongWithoutWait) return core::Milliseconds(0);
  const unsigned doublings = std::min(wrong - GuessBrake::kWrongWithoutWait, kDoublingsMax);
  return std::min(kFirstWait * (1U << doublings), GuessBrake::kLongestWait);
}

}  // namespace

std::optional<core::Milliseconds> GuessBrake::wait_of(const std::string& address,
                                                      core::Monotonic now) const {
  const auto found = guesses_.find(address);
  if (found == guesses_.end() || found->second.next <= now) return std::nullopt;
  return std::chrono::ceil<core::Milliseconds>(found->second.next - now);
}

void GuessBrake::was_wrong(const std::string& address, core::Monotonic now) {
  if (guesses_.size() >= kAddressesMax && !guesses_.contains(address)) {
    guesses_.erase(std::ranges::min_element(guesses_, {},
                                            [](const auto& entry) { return entry.second.last; }));
  }
  Guesses& guesses = guesses_[address];
  ++guesses.wrong;
  guesses.last = now;
  guesses.next = now + wait_after(guesses.wrong);
}

}  // namespace gateway::adapters::dicom
