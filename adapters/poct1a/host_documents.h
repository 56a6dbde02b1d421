// The documents the host sends: acknowledgments, and what it asks of the device. Pure.
#pragma once

#include <string>
#include <string_view>

#include "adapters/poct1a/dialogue.h"
#include "core/clock.h"

namespace gateway::adapters::poct1a {

struct Header {
  std::string control_id;
  std::string at;  // ISO 8601 with its offset
};

/// The moment in the zone, with its offset: 2026-11-20T10:02:33+02:00.
std::string local_time(core::Wall time, std::string_view zone);

/// ACK.R01 for the message `of`: AA, or AE with a note for people; no patient data.
std::string acknowledge(const Header& header, std::string_view of, std::string_view error = "");

/// REQ, DTV or END, as the step says. The clock is set to the header's time.
std::string say(const Header& header, Step step);

}  // namespace gateway::adapters::poct1a
