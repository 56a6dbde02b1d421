#include "adapters/frame/crash_point.h"

#ifdef GATEWAY_CRASH_POINTS

#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <string>

namespace gateway::adapters::frame {
namespace {

struct Plan {
  std::string name;
  int passes = 0;
};

Plan read_plan() {
  const char* text = std::getenv("CLINIC_GATEWAY_CRASH_AT");
  const std::string_view plan = text == nullptr ? "" : text;
  const auto colon = plan.rfind(':');
  if (colon == std::string_view::npos) return {};
  int passes = 0;
  std::from_chars(plan.data() + colon + 1, plan.data() + plan.size(), passes);
  return {std::string(plan.substr(0, colon)), passes};
}

}  // namespace

void pass_crash_point(std::string_view name) {
  static const Plan plan = read_plan();
  static std::atomic<int> passed{0};
  if (plan.name == name && ++passed == plan.passes) std::raise(SIGKILL);
}

}  // namespace gateway::adapters::frame

#endif
