// Identifiers the gateway makes itself.
#pragma once

#include <string>
#include <string_view>

#include "core/clock.h"

namespace gateway::core {

/// A UUIDv7 (RFC 9562 5.7) in lower-case text form: time-ordered, so that index inserts stay local.
/// Random bits come from the operating system. Thread-safe.
std::string new_uuid(const Clock& clock = system_clock());

/// True for the 36-character text form of any UUID version, lower case.
bool is_uuid(std::string_view text);

/// A DICOM UID below 2.25 (PS3.5 B.2) made from a UUID's 128 bits.
std::string uid_from_uuid(std::string_view uuid);

/// `count` bytes from the operating system's generator.
std::string random_bytes(std::size_t count);

}  // namespace gateway::core
