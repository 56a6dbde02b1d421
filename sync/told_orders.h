// What a device that takes orders has been told of each (adapters/hl7/order_uplink): the message it
// took last, and the one it has not answered yet, which is sent again as it was before anything
// else is said of that order. Inside the caller's transaction or snapshot.
#pragma once

#include <cstdint>
#include <string>

#include "core/result.h"
#include "crypto/database.h"

namespace gateway::sync {

struct ToldMessage {
  std::string control;     // ORC-1; empty: there is none
  std::string control_id;  // MSH-10; of one that was taken not kept
  std::string number;      // what the device knows the order by, ORC-2
  std::string patient;     // id of the Patient record it names
  std::string text;
};
struct ToldOrder {
  std::int64_t messages = 0;  // made for it so far
  ToldMessage taken;
  ToldMessage open;
};

core::Result<ToldOrder> read_told_order(crypto::Connection& connection, const std::string& uplink,
                                        const std::string& service_request);
/// Before it goes out.
core::Status note_open(crypto::Connection& connection, const std::string& uplink,
                       const std::string& service_request, const ToldMessage& message);
/// The device answered the open message: it took it, or did not.
core::Status note_answered(crypto::Connection& connection, const std::string& uplink,
                           const std::string& service_request, bool was_taken);

}  // namespace gateway::sync
