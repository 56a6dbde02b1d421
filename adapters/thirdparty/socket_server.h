// Third-party adapters: programs of others, in processes of their own, that hand over what devices
// say. Each has a Unix socket, a token and limits of its own. An answer that says "accepted" is
// given after the commit and not before; LOCKED, or without room, it is "later".
#pragma once

#include <memory>
#include <vector>

#include "adapters/adapter.h"
#include "adapters/decoder.h"
#include "adapters/thirdparty/socket_options.h"
#include "core/clock.h"
#include "sync/holdings.h"

namespace gateway::adapters::thirdparty {

/// Adapter "socket"; report() has "devices" as hl7's. `door` and `clock` outlive it.
std::unique_ptr<Adapter> make_socket_server(std::vector<SocketDevice> devices,
                                            FileDecoders decoders, const sync::HoldingsDoor& door,
                                            const core::Clock& clock);

}  // namespace gateway::adapters::thirdparty
