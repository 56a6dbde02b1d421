// Takes a signed checkpoint of the audit trail every so often while the gateway is open, and hands
// it on: to the file beside the database, and to central operations over MQTT
// (`<prefix>/<site>/audit`, retained, docs/mqtt/audit.schema.json). Loop thread only.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>

#include "core/clock.h"
#include "core/json.h"
#include "sync/holdings.h"

namespace gateway::daemon {

class BlockingLane;

class AuditCheckpoints {
 public:
  /// `publish` gets each new checkpoint's document. Door and lane outlive it.
  AuditCheckpoints(boost::asio::any_io_executor loop, sync::HoldingsDoor& door, BlockingLane& lane,
                   core::Milliseconds every, std::function<void(const core::Json&)> publish);
  ~AuditCheckpoints() { stop(); }
  AuditCheckpoints(const AuditCheckpoints&) = delete;
  AuditCheckpoints& operator=(const AuditCheckpoints&) = delete;

  /// The first one is taken at once.
  void start();
  void stop();

 private:
  void take();
  void wait();

  boost::asio::any_io_executor loop_;
  sync::HoldingsDoor& door_;
  BlockingLane& lane_;
  core::Milliseconds every_;
  std::function<void(const core::Json&)> publish_;
  boost::asio::steady_timer timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gateway::daemon
