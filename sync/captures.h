// Recordings of what passed on a device's connections (adapters/frame/line_recorder.h), as they are
// kept: a message of the device that becomes nothing, and goes as the raw bytes of others go
// (sync/message_retention.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/clock.h"
#include "core/json.h"
#include "core/result.h"
#include "crypto/database.h"
#include "sync/incoming_message.h"

namespace gateway::sync {

/// What Intake takes in.
IncomingMessage captured_message(std::string device, std::string recording, core::Wall now);

struct Capture {
  std::int64_t number = 0;
  std::string device, received_at;
  std::string recording;
};
/// Code::not_found when there is none of that number, or retention let it go.
core::Result<Capture> read_capture(crypto::Connection& connection, std::int64_t number);

/// Recordings of a device that are held, the newest first, at most 100:
/// [{"number","device","received_at","bytes"}].
core::Result<core::Json> captures_report(crypto::Connection& connection, const std::string& device);

}  // namespace gateway::sync
