// What the control socket does with the ways out:
//
//   POST /v1/uplinks/sync   {}                              tries everything now -> {"tried":true}
//   POST /v1/uplinks/pause  {"uplink":"his","paused":true}  no uplink: all -> {"changed":["his"]}
//   POST /v1/uplinks/probe  {"uplink":"his"}                asks the server what it can do; no
//                                                           uplink: each
//                           -> {"uplinks":[{"name","server","error"}]}; server: Uplink::abilities()
//
// A pause is kept across restarts. Audited. Loop thread only.
#pragma once

#include <memory>
#include <string>

#include "daemon/ops/control.h"
#include "daemon/sync_component.h"
#include "sync/holdings.h"

namespace gateway::daemon {

inline constexpr std::string_view kUplinkRoutes = "/v1/uplinks";

/// `uplinks` and `clock` outlive the answer.
ControlActions::JsonAnswer answer_uplinks(SyncComponent& uplinks,
                                          std::shared_ptr<sync::Holdings> holdings,
                                          const core::Clock& clock, std::string method,
                                          std::string path, std::string body, Caller caller);

}  // namespace gateway::daemon
