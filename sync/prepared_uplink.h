// An uplink that is built when it is first needed: a CA or password file that cannot be read makes
// this uplink "down" with the reason, while the others work, and mending the file is enough.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/result.h"
#include "sync/uplink.h"

namespace gateway::sync {

struct UplinkPlan {
  std::string name;
  std::string kind;
  UplinkLimits limits;
  std::function<core::Result<std::unique_ptr<Uplink>>()> build;
};

std::unique_ptr<Uplink> make_prepared_uplink(UplinkPlan plan);

}  // namespace gateway::sync
