// The version of this build, from the VERSION file.
#pragma once

namespace gateway::daemon {

extern const char kVersion[];

}  // namespace gateway::daemon
