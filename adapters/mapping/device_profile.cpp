#include "adapters/mapping/device_profile.h"

#include <algorithm>

namespace gateway::adapters::mapping {

bool DeviceProfile::verifies(std::string_view test) const {
  return std::any_of(autoverified.begin(), autoverified.end(),
                     [&](const std::string& one) { return one == "*" || one == test; });
}

}  // namespace gateway::adapters::mapping
