// Carries what waits for central operations (sync/central_outbox.h) to the broker, oldest first,
// and forgets each once the broker has taken it; what a session left unanswered goes again. Adds to
// each event its "sequence" and whether it is "historical": it came about before the present
// session with the broker began, whatever the clock says. Loop thread only, where nothing else is
// said.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/json.h"
#include "core/net/http.h"
#include "daemon/blocking.h"
#include "sync/central_outbox.h"
#include "sync/holdings.h"

namespace gateway::daemon {

/// core::net::MqttSession::send() below the gateway's own topics.
using SendToCentral = std::function<void(const std::string& topic, std::string payload,
                                         bool retained, std::function<void(bool)> answered)>;

class CentralSender {
 public:
  /// Door and lane outlive it.
  CentralSender(boost::asio::any_io_executor loop, const sync::HoldingsDoor& door,
                BlockingLane& lane, const core::Clock& clock, std::string boot_id,
                SendToCentral send);
  ~CentralSender() { *alive_ = false; }
  CentralSender(const CentralSender&) = delete;
  CentralSender& operator=(const CentralSender&) = delete;

  /// The session with the broker began or ended. Any thread.
  void on_standing(bool connected);
  /// All alarms there are now; what changed is queued durably. Tried again at the next call where
  /// that failed.
  void note(std::vector<sync::CentralAlarm> alarms);
  /// Something was queued.
  void wake();

 private:
  core::net::Awaitable<void> carry();
  void send_all(const std::vector<sync::CentralMessage>& batch);
  void on_answered(std::int64_t number, bool taken);
  void on_forgotten(bool forgotten);
  std::string payload_of(const sync::CentralMessage& message) const;

  boost::asio::any_io_executor loop_;
  const sync::HoldingsDoor& door_;
  BlockingLane& lane_;
  const core::Clock& clock_;
  const std::string boot_id_;
  SendToCentral send_;
  std::uint64_t sessions_ = 0;  // so far
  std::string session_;         // empty: none stands
  bool carrying_ = false;
  bool again_ = false;               // something was queued meanwhile
  std::size_t unanswered_ = 0;       // of the batch under way
  std::vector<std::int64_t> taken_;  // of the batch under way
  bool noting_ = false;
  std::optional<std::vector<sync::CentralAlarm>> noted_;  // what the database is known to hold
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gateway::daemon
