#include "daemon/version.h"

namespace gateway::daemon {

const char kVersion[] = GATEWAY_VERSION_TEXT;

}  // namespace gateway::daemon
