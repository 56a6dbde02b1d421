// POCT1-A devices (bare XML or MLLP) that call. Answers are given after the commit and not before;
// LOCKED, the device hears an error and keeps its results.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "adapters/adapter.h"
#include "adapters/poct1a/poct1a_options.h"
#include "core/clock.h"
#include "sync/holdings.h"

namespace gateway::adapters::poct1a {

/// `door` and `clock` outlive it.
std::unique_ptr<Adapter> make_poct1a_server(std::vector<Poct1aDevice> devices,
                                            const sync::HoldingsDoor& door,
                                            const core::Clock& clock);

}  // namespace gateway::adapters::poct1a
