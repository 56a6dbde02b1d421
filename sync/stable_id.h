// Ids that are the same again wherever they are made anew: of what a device sends twice, and of
// what is rebuilt after the index was lost.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "core/clock.h"

namespace gateway::sync {

/// A UUIDv8 (RFC 9562 5.8) made from `name`.
std::string stable_id(std::string_view name);

/// The same, ordered by `at` like a UUIDv7, so that index inserts stay local. `at` is part of the
/// name: it must be the same again too.
std::string stable_id(std::string_view name, core::Wall at);

}  // namespace gateway::sync
