// What both programs do first: their memory holds keys and patients.
#pragma once

#include <sys/prctl.h>
#include <sys/resource.h>

namespace gateway::daemon {

/// No core file, and no look inside by a debugger of the same user.
inline void keep_memory_private() {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
#ifndef GATEWAY_SANITIZED  // LeakSanitizer needs to look into the process
  ::prctl(PR_SET_DUMPABLE, 0);
#endif
}

}  // namespace gateway::daemon
