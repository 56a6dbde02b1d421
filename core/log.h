// The log. Where standard error is the journal (JOURNAL_STREAM, systemd.exec(5)) an entry of it per
// event, with the fields MESSAGE, PRIORITY, GATEWAY_COMPONENT, CODE_FILE and CODE_LINE
// (systemd.journal-fields(7)); else a line of text, level first, component second.
//
// One place in the code writes 50 lines in 30 s at most (core/log_limiter.h); what is dropped is
// counted and said.
//
// Never a patient's data: no name, id, birth date, accession number, SOP or study UID, no payload.
// Name things by the gateway's own ids (object id, outbox number, uplink name, peer address and AE
// title). What is said of a patient is a core::PatientText (core/patient_text.h), which does not
// become part of a message.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace gateway::core {

enum class Level { debug, info, warn, error };

/// Sets the least level written. Thread-safe. Default: info.
void set_log_level(Level level);
Result<Level> parse_log_level(std::string_view text);

/// Writes one line. Control characters in `message` are replaced, so that input cannot forge lines.
/// `file` and `line` are the caller's, by themselves. Thread-safe.
void log(Level level, std::string_view component, std::string_view message,
         const char* file = __builtin_FILE(), int line = __builtin_LINE());

inline void log_debug(std::string_view component, std::string_view message,
                      const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  log(Level::debug, component, message, file, line);
}
inline void log_info(std::string_view component, std::string_view message,
                     const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  log(Level::info, component, message, file, line);
}
inline void log_warn(std::string_view component, std::string_view message,
                     const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  log(Level::warn, component, message, file, line);
}
inline void log_error(std::string_view component, std::string_view message,
                      const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  log(Level::error, component, message, file, line);
}

/// Says how many lines were dropped and not told of yet; for the end of the process.
void settle_log();

/// That something was logged, without what: for whoever may not read messages.
struct LogTrace {
  Wall at;
  Level level = Level::info;
  std::string component;
  std::string file;  // from the top of the source tree
  int line = 0;
};
/// The newest 2,000 lines of this process, oldest first. Thread-safe.
std::vector<LogTrace> recent_log();

std::string_view to_string(Level level);

}  // namespace gateway::core
