// Which orders a device has yet to be told of, and what exactly. Inside the caller's transaction or
// snapshot.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "adapters/hl7/order_message.h"
#include "adapters/hl7/order_rules.h"
#include "core/clock.h"
#include "core/result.h"
#include "crypto/database.h"
#include "sync/replica.h"
#include "sync/told_orders.h"

namespace gateway::adapters::hl7 {

/// Who takes orders, and which.
struct OrderDevice {
  std::string name;  // of the uplink
  OrderForm form = OrderForm::oml;
  OrderFilter filter;
  std::string patient_id_issuer;
};

/// What is to be said of one order now. An open message comes first: until it is answered, nobody
/// knows what the device knows.
struct DueOrder {
  std::int64_t version = 0;  // the newest here
  sync::ToldOrder told;
  // What comes then; its text is what order_segments() answers.
  sync::ToldMessage next;
  std::string problem;  // why it cannot be said; for people

  bool is_open() const { return !told.open.control.empty(); }
  bool is_due() const { return is_open() || !next.control.empty() || !problem.empty(); }
};
core::Result<DueOrder> due_order(crypto::Connection& connection, const OrderDevice& device,
                                 const std::string& order);

/// The message that goes out now, noted as open (sync/told_orders.h); without control code: nothing
/// is due.
core::Result<sync::ToldMessage> begin_message(crypto::Connection& connection,
                                              const OrderDevice& device, const std::string& order,
                                              core::Wall now);

/// Whether anything came into the replica since the last queue_orders(), or other orders are the
/// device's since then.
core::Result<bool> has_news(crypto::Connection& connection, const OrderDevice& device);

struct QueuedOrders {
  std::int64_t queued = 0;
  bool is_all = false;  // nothing came after what was looked at
};
/// Looks at what came next, at most 1,000 versions of anything, and queues the orders of which the
/// device is to be told something: that changed, or whose patient or specimen did.
core::Result<QueuedOrders> queue_orders(crypto::Connection& connection, const OrderDevice& device,
                                        std::string_view now_instant);

}  // namespace gateway::adapters::hl7
