// Deaths at named moments, for the tests of what survives them. Only in builds with
// GATEWAY_CRASH_POINTS, and only when the environment names the point:
// CLINIC_GATEWAY_CRASH_AT=store-committed:N kills the process (SIGKILL) after the Nth instance was
// committed, before its answer; message-committed:N does so for the Nth message.
#pragma once

#include <string_view>

namespace gateway::adapters::frame {

#ifdef GATEWAY_CRASH_POINTS
void pass_crash_point(std::string_view name);
#else
inline void pass_crash_point(std::string_view /*name*/) {}
#endif

}  // namespace gateway::adapters::frame
