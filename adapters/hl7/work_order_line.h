// Work orders on their way to a device that asked for them, over lines the gateway opens: one
// message after the other, each said once. What is said is looked up when its turn comes, so that a
// device that keeps the others waiting hears of none that was cancelled meanwhile. None is kept on
// the disk and none is said again: a device that hears nothing asks again.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/hl7/mllp_line.h"
#include "adapters/hl7/work_order.h"
#include "core/clock.h"

namespace gateway::adapters::hl7 {

class WorkOrderLine : public std::enable_shared_from_this<WorkOrderLine> {
 public:
  /// What there is to say of a tube now, on the loop's thread; nothing: nothing is.
  using LookUp = std::function<core::Result<std::optional<WorkOrderMessage>>(const AskedTube&)>;
  /// `clock` outlives it, and whatever `look_up` needs does. `device`: for the log.
  WorkOrderLine(std::string device, MllpPeer peer, LookUp look_up, const core::Clock& clock);

  /// Any thread. Takes tubes from now on.
  void open();
  /// On the thread of `loop`, which lives until close() and until what is on its way has ended. A
  /// tube that waits already waits once. Answers why none was taken; empty: all were.
  std::string_view send(const boost::asio::any_io_executor& loop, std::vector<AskedTube> tubes);
  /// Any thread. Cuts off what is on its way, drops what waits.
  void close();

 private:
  static core::net::Awaitable<void> run(std::shared_ptr<WorkOrderLine> self);
  core::net::Awaitable<std::string> say(WorkOrderMessage message);
  bool take(std::vector<AskedTube> tubes);
  std::optional<AskedTube> next();
  bool hold(std::shared_ptr<MllpLine> line);
  void release();
  void drop_waiting();
  void give_up();

  const std::string device_;
  const MllpPeer peer_;
  const LookUp look_up_;
  const core::Clock& clock_;
  std::shared_ptr<core::net::TlsContext> tls_;  // the loop's thread only
  std::mutex mutex_;                            // of all that follows
  std::deque<AskedTube> waiting_;
  std::shared_ptr<MllpLine> line_;  // while a message is on its way
  boost::asio::any_io_executor loop_;
  bool is_running_ = false;
  bool is_closed_ = true;
};

}  // namespace gateway::adapters::hl7
