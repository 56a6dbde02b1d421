#include "daemon/api/console/sign_in_limits.h"

#include <algorithm>

#include "core/text.h"

namespace gateway::daemon::console {
namespace {

constexpr unsigned kFreePerName = 5;
constexpr unsigned kFreePerAddress = 20;
constexpr std::size_t kRecordsMax = 2'000;
constexpr std::chrono::minutes kFirstWait{1};
constexpr std::chrono::minutes kLongestWait{15};
constexpr std::chrono::hours kForgotten{1};

std::string of_name(const std::string& name) { return core::cat("name ", name); }
std::string of_address(const std::string& address) { return core::cat("address ", address); }

}  // namespace

core::Milliseconds SignInLimits::wait(const std::string& name, const std::string& address) {
  const std::lock_guard lock(mutex_);
  const core::Monotonic now = clock_.monotonic();
  core::Milliseconds longest{0};
  for (const std::string& key : {of_name(name), of_address(address)}) {
    const auto found = records_.find(key);
    if (found == records_.end() || found->second.free_at <= now) continue;
    longest = std::max(longest, std::chrono::ceil<core::Milliseconds>(found->second.free_at - now));
  }
  return longest;
}

void SignInLimits::failed(const std::string& name, const std::string& address) {
  const std::lock_guard lock(mutex_);
  count(of_name(name), kFreePerName);
  count(of_address(address), kFreePerAddress);
}

void SignInLimits::succeeded(const std::string& name, const std::string& address) {
  const std::lock_guard lock(mutex_);
  records_.erase(of_name(name));
  records_.erase(of_address(address));
}

void SignInLimits::count(const std::string& key, unsigned free_failures) {
  const core::Monotonic now = clock_.monotonic();
  std::erase_if(records_, [&](const auto& one) { return now - one.second.last > kForgotten; });
  if (records_.size() >= kRecordsMax && !records_.contains(key)) {
    records_.erase(
        std::ranges::min_element(records_, {}, [](const auto& one) { return one.second.last; }));
  }
  Record& record = records_[key];
  record.last = now;
  if (++record.failures < free_failures) return;
  const unsigned doublings = std::min(record.failures - free_failures, 4U);
  record.free_at = now + std::min(kFirstWait * (1 << doublings), kLongestWait);
}

}  // namespace gateway::daemon::console
