// What is said on one POCT1-A connection: each document committed before it is acknowledged, and
// what the host asks of the device.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "adapters/frame/conversation.h"
#include "adapters/frame/device_traffic.h"
#include "adapters/poct1a/poct1a_options.h"
#include "core/clock.h"
#include "sync/holdings.h"

namespace gateway::adapters::poct1a {

struct ServedDevice {
  explicit ServedDevice(Poct1aDevice what) : device(std::move(what)) {}

  /// What the device said of itself last (DST.condition_cd). From any thread.
  void note_condition(std::string condition);
  /// Sets "revision" and "condition".
  void tell(core::Json& report) const;

  Poct1aDevice device;
  frame::DeviceTraffic traffic;

 private:
  mutable std::mutex mutex_;
  std::string condition_;
};

/// All arguments outlive it.
std::unique_ptr<frame::Conversation> make_conversation(ServedDevice& served,
                                                       const sync::HoldingsDoor& door,
                                                       const core::Clock& clock, std::string peer);

}  // namespace gateway::adapters::poct1a
