// Commands of central operations (docs/mqtt/README.md), durably: which were taken on, how far each
// came, and which id was used. A command's state is queued for the broker in the transaction that
// records it. Who signed it and whether it is allowed is decided before. Inside the caller's
// transaction or snapshot.
//
// The clock may be wrong: nothing is as new as the newest command signed so far proves it to be, so
// that a command whose time is over stays over when the clock is set back. An id is forgotten only
// with that proof that its time is over.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/json.h"
#include "core/result.h"
#include "crypto/database.h"

namespace gateway::sync {

/// Ids that are remembered; while so many have time left no further command is taken on.
inline constexpr std::int64_t kCommandsRememberedMax = 256;
/// States held at the broker; older ones are taken away there.
inline constexpr std::int64_t kCommandStatesMax = 32;
/// From issued to expires.
inline constexpr std::chrono::hours kCommandLifeMax{7 * 24};
/// How far ahead of ours the signer's clock may be.
inline constexpr std::chrono::minutes kCommandClockSlack{5};

struct CentralCommand {
  std::string id;      // UUID
  std::string digest;  // of what was signed, hex
  std::string signer;  // name of the key
  std::string kind;
  std::string parameters;  // a JSON object
  core::Wall issued;
  core::Wall expires;
};

enum class Admission {
  accepted,  // recorded
  repeated,  // it was taken on before; its state is told again
};

/// What its end is told by.
struct CommandEnd {
  std::string reason;                // in our own words; empty: it was done
  core::Json result = core::Json();  // no patient data
};

/// Code::refused with the reason: expired, issued in the future, too long a life, an id that
/// another command used, or too many.
core::Result<Admission> admit_command(crypto::Connection& connection, const CentralCommand& command,
                                      core::Wall now);
/// The oldest that was accepted and not begun.
core::Result<std::optional<CentralCommand>> next_command(crypto::Connection& connection);
core::Status begin_command(crypto::Connection& connection, const std::string& id,
                           std::string_view now_instant);
core::Status end_command(crypto::Connection& connection, const std::string& id,
                         const CommandEnd& end, std::string_view now_instant);
/// After a start: what was running then has failed, since nobody knows how far it came.
core::Status fail_interrupted_commands(crypto::Connection& connection,
                                       std::string_view now_instant);

}  // namespace gateway::sync
