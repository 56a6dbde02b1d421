// The state of the gateway as a nurse needs it, made of the status document (daemon/ops/vitals.h).
// Pure.
#pragma once

#include "core/json.h"

namespace gateway::daemon::console {

/// {"level":"good|busy|attention|bad","headline","link":{"state":"up|down|partly|none","down":[...]},
/// "waiting","oldest_age_s","last_success","parked","reviews","letters",
/// "alarms":[{"code","component","text","count"}],"site","version","state","reason","uplinks"}
///
/// "headline" names the one sentence of the page: locked, not_set_up, failed, no_room, part_down,
/// needs_person, link_down, sending, all_sent, stand_alone. An alarm's "text" is the daemon's own
/// sentence, in English, or empty.
core::Json overview_document(const core::Json& status);

}  // namespace gateway::daemon::console
