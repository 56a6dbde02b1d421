// An [uplink.NAME] of kind hl7: orders go to a device or laboratory system over MLLP, one message
// after the other. What goes out is on stable storage first (sync/told_orders.h), so that a message
// whose answer was lost goes again as it was, before anything else is said of that order. It is
// taken once the device answers AA or CA to its control id. AE is tried again, AR waits for a
// person.
//
// Orders are found in the replica within seconds, in the order they came there: whichever way they
// came, and also those that were active before the uplink was configured.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>

#include "adapters/hl7/mllp_line.h"
#include "adapters/hl7/order_queue.h"
#include "core/clock.h"
#include "core/config.h"
#include "sync/holdings.h"
#include "sync/options.h"
#include "sync/uplink.h"

namespace gateway::adapters::hl7 {

struct OrderUplink : MllpPeer {
  OrderDevice device;
};

/// Code::invalid names the place, the key and what to write instead.
core::Result<OrderUplink> order_uplink(const core::Config& config, const std::string& name);

sync::UplinkLimits order_uplink_limits();
std::unique_ptr<sync::Uplink> make_order_uplink(boost::asio::any_io_executor loop,
                                                OrderUplink settings,
                                                std::shared_ptr<sync::Holdings> holdings,
                                                const core::Clock& clock);

/// For sync::make_uplinks(). `config` and `clock` outlive what is made.
sync::UplinkMaker order_uplinks(boost::asio::any_io_executor loop,
                                std::shared_ptr<sync::Holdings> holdings,
                                const core::Config& config, const core::Clock& clock);

}  // namespace gateway::adapters::hl7
