// What is said with a third-party adapter, apart from the socket it passes on
// (docs/third-party-adapters.md). One line, one answer, in order: what it sends meanwhile waits in
// its own socket.
#pragma once

#include <memory>

#include "adapters/decoder.h"
#include "adapters/frame/conversation.h"
#include "adapters/frame/device_traffic.h"
#include "adapters/thirdparty/rate_limit.h"
#include "adapters/thirdparty/socket_options.h"
#include "core/clock.h"
#include "sync/holdings.h"

namespace gateway::adapters::thirdparty {

/// One adapter with its connections; all of them on one thread.
struct ServedProgram {
  explicit ServedProgram(SocketDevice what)
      : device(std::move(what)), limit(device.messages_per_s) {}

  const SocketDevice device;
  frame::DeviceTraffic traffic;
  RateLimit limit;
};

/// Everything outlives it.
std::unique_ptr<frame::Conversation> make_conversation(ServedProgram& served,
                                                       const FileDecoders& decoders,
                                                       const sync::HoldingsDoor& door,
                                                       const core::Clock& clock);

}  // namespace gateway::adapters::thirdparty
