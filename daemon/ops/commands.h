// Takes in commands of central operations, carries them out one after the other through the same
// routes an operator uses, and tells how far each came. A command is recorded durably before it is
// told to be accepted; what was accepted is carried out after a restart too. Refusals are told
// once, and not kept. All audited. Loop thread only, where nothing else is said.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/clock.h"
#include "daemon/ops/command_envelope.h"
#include "daemon/ops/control.h"
#include "sync/holdings.h"

namespace gateway::daemon {

struct CommandCalls {
  ControlAsk ask;              // carries a request out
  std::function<void()> told;  // something was queued for central operations
  /// Tells central operations once, if they are there.
  std::function<void(const core::Json& refusal)> refuse;
};

class Commands {
 public:
  /// Door and clock outlive it.
  Commands(boost::asio::any_io_executor loop, const sync::HoldingsDoor& door,
           const core::Clock& clock, CommandPolicy policy, CommandCalls calls);
  ~Commands() { *alive_ = false; }
  Commands(const Commands&) = delete;
  Commands& operator=(const Commands&) = delete;

  /// What came on the command topic. Any thread; more than 64 at once are dropped.
  void take(std::string envelope);
  /// Once the holdings are open, what an earlier run left is ended or carried out; later, what the
  /// database did not take is tried again. To be called now and then.
  void go_on();

 private:
  core::net::Awaitable<void> admit(std::string envelope);
  core::net::Awaitable<void> work();
  core::net::Awaitable<void> perform(std::shared_ptr<sync::Holdings> holdings,
                                     sync::CentralCommand command);
  core::net::Awaitable<sync::CommandEnd> outcome_of(sync::CentralCommand command);
  core::net::Awaitable<void> refuse(std::string envelope, core::Error why);
  void wake();

  boost::asio::any_io_executor loop_;
  const sync::HoldingsDoor& door_;
  const core::Clock& clock_;
  const CommandPolicy policy_;
  const CommandCalls calls_;
  std::size_t refused_since_ = 0;  // without a row in the audit trail
  std::optional<core::Monotonic> refusal_recorded_;
  bool working_ = false;
  bool again_ = false;        // something was accepted meanwhile
  bool looked_back_ = false;  // what an earlier run left was looked at
  // Envelopes that were taken and not admitted yet; of any thread.
  std::shared_ptr<std::atomic<int>> waiting_ = std::make_shared<std::atomic<int>>(0);
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gateway::daemon
