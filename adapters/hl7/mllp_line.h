// A line the gateway opens to a device that takes orders: a message goes out over it, the answer is
// waited for, one after the other. On the thread of the loop it was made for.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>

#include "adapters/hl7/mllp_peer.h"
#include "adapters/hl7/order_message.h"
#include "core/clock.h"
#include "core/net/connection.h"

namespace gateway::adapters::hl7 {

class MllpLine {
 public:
  /// Not yet open. `tls`: tls_of() the peer; `clock` outlives it.
  static std::shared_ptr<MllpLine> create(boost::asio::any_io_executor loop, const MllpPeer& peer,
                                          std::shared_ptr<core::net::TlsContext> tls,
                                          const core::Clock& clock);
  core::net::Awaitable<core::Status> open();
  /// Sends the message and waits for the answer to it. Code::lost_answer: it may have arrived.
  core::net::Awaitable<core::Result<OrderAnswer>> say(std::string message, std::string control_id);
  void close() { connection_->close(); }

 private:
  MllpLine(std::shared_ptr<core::net::TlsContext> tls, core::Milliseconds patience,
           const core::Clock& clock)
      : tls_(std::move(tls)), patience_(patience), clock_(clock) {}

  const std::shared_ptr<core::net::TlsContext> tls_;  // null: plain
  const core::Milliseconds patience_;
  const core::Clock& clock_;
  std::shared_ptr<core::net::Connection> connection_;
};

}  // namespace gateway::adapters::hl7
