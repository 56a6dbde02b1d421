// Rotation of keys as an operator asks for it, with its audit rows. Blocking: on a thread that may
// wait; one at a time.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "core/clock.h"
#include "core/json.h"
#include "core/result.h"
#include "daemon/ops/control.h"
#include "sync/holdings.h"

namespace gateway::daemon {

/// The body of POST /v1/keys/rotate: {"what":"root","give_up":[202601]}.
struct RotationAsked {
  std::string what;                  // "database", "epoch", "root" or "all"
  std::set<std::uint32_t> given_up;  // epochs whose lost keys do not stop a new root
};
core::Result<RotationAsked> rotation_asked(const std::string& body);
/// "root" takes the database along. "all" is root, then epoch: afterwards no older copy of the key
/// files opens anything that is new. Answers what is in use now.
core::Result<core::Json> rotate_keys(sync::Holdings& holdings, const core::Clock& clock,
                                     const RotationAsked& asked, const Caller& who);
/// Goes on with what a stop interrupted.
core::Status finish_rotations(sync::Holdings& holdings, const core::Clock& clock);

/// Whoever came over the control socket, as these routes have always named them.
inline Caller operator_on_the_box() { return {"operator", "cli"}; }
/// An audit row of it.
core::Status record_upkeep(sync::Holdings& holdings, const core::Clock& clock, const Caller& who,
                           std::string action, std::string resource, std::string outcome);

}  // namespace gateway::daemon
