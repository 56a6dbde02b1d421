// The log. One line per event on standard error (journald adds time and unit), level first, room
// second. Never a patient's data: no name, id, birth date, accession number, SOP or study UID, no
// payload. Name things by the gateway's own ids (object id, outbox number, uplink name, peer
// address and AE title).
#pragma once

#include <string_view>

#include "core/result.h"

namespace gateway::core {

enum class Level { debug, info, warn, error };

/// Sets the least level written. Thread-safe. Default: info.
void set_log_level(Level level);
Result<Level> parse_log_level(std::string_view text);

/// Writes one line. Control characters in `message` are replaced, so that input cannot forge lines.
/// Thread-safe.
void log(Level level, std::string_view room, std::string_view message);

inline void log_debug(std::string_view room, std::string_view message) {
  log(Level::debug, room, message);
}
inline void log_info(std::string_view room, std::string_view message) {
  log(Level::info, room, message);
}
inline void log_warn(std::string_view room, std::string_view message) {
  log(Level::warn, room, message);
}
inline void log_error(std::string_view room, std::string_view message) {
  log(Level::error, room, message);
}

}  // namespace gateway::core
