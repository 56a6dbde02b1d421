#include "sync/urgency.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace gateway::sync {
namespace {

using core::Json;

/// Abnormal in a way that cannot wait: AA of anything, HH and LL of a number.
constexpr std::array<std::string_view, 3> kCritical = {"AA", "HH", "LL"};

}  // namespace

bool is_critical(const Json& result) {
  const auto says_so = [](const Json& interpretation) {
    return std::ranges::any_of(interpretation["coding"].items(), [](const Json& coding) {
      return std::ranges::find(kCritical, coding["code"].text()) != kCritical.end();
    });
  };
  return std::ranges::any_of(result["interpretation"].items(), says_so) ||
         std::ranges::any_of(result["component"].items(), is_critical);
}

Turn turn_of(const Json& resource) {
  if (is_critical(resource)) return Turn::stat;
  const std::string_view priority = resource["priority"].text();
  if (priority == "stat") return Turn::stat;
  if (priority == "asap") return Turn::asap;
  if (priority == "urgent") return Turn::urgent;
  return Turn::routine;
}

}  // namespace gateway::sync
