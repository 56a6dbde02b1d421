// What is said on one ASTM connection: frames made durable before their ACK, whole messages taken
// in, queries answered.
#pragma once

#include <memory>
#include <string>

#include "adapters/astm/astm_options.h"
#include "adapters/frame/conversation.h"
#include "adapters/frame/device_traffic.h"
#include "core/clock.h"
#include "sync/holdings.h"

namespace gateway::adapters::astm {

struct ServedDevice {
  explicit ServedDevice(AstmDevice what) : device(std::move(what)) {}
  AstmDevice device;
  frame::DeviceTraffic traffic;
};

/// All arguments outlive it.
std::unique_ptr<frame::Conversation> make_conversation(ServedDevice& served,
                                                       const sync::HoldingsDoor& door,
                                                       const core::Clock& clock, std::string peer);

}  // namespace gateway::adapters::astm
