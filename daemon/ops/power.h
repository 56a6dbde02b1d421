// The UPS that feeds the box, asked of Network UPS Tools' upsd (RFC 9271) every few seconds: on the
// mains, on battery, or about to go dark. Loop thread only.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/json.h"
#include "core/result.h"
#include "daemon/blocking.h"
#include "daemon/ops/vitals.h"

namespace gateway::daemon {

/// `power.ups`: NAME@HOST or NAME@HOST:PORT.
struct UpsAddress {
  std::string name;
  std::string host;
  std::uint16_t port = 3493;
};
/// Code::invalid says what to write instead.
core::Result<UpsAddress> parse_ups(const std::string& text);

struct PowerState {
  /// `ending`: on battery, and upsd says it is low or that the box is to be shut down.
  enum class Supply { unknown, mains, battery, ending } supply = Supply::unknown;
  std::optional<int> charge_percent;
  std::optional<int> runtime_s;  // as the UPS guesses it
  std::string problem;           // why it is unknown; empty otherwise
  friend bool operator==(const PowerState&, const PowerState&) = default;
};
/// ups.status (words: OL, OB, LB, FSD, ...), battery.charge and battery.runtime as upsd words them;
/// empty: it knows none. Pure.
PowerState read_power(const std::string& status, const std::string& charge,
                      const std::string& runtime);
/// What a person has to know: component "battery" where the box is about to go dark, else "power".
std::optional<Problem> power_problem(const PowerState& state);
/// {"supply","charge_percent","runtime_s"}
core::Json power_document(const PowerState& state);

class Power {
 public:
  /// `changed(before)` runs after the supply or the problem has changed.
  Power(boost::asio::any_io_executor loop, UpsAddress ups,
        std::function<void(PowerState::Supply before)> changed);
  ~Power() { stop(); }
  Power(const Power&) = delete;
  Power& operator=(const Power&) = delete;

  void start();
  /// Waits for an answer that is under way, some seconds at most.
  void stop();
  const PowerState& state() const { return state_; }

 private:
  core::net::Awaitable<void> watch(std::shared_ptr<bool> alive);
  void take(PowerState seen);

  const boost::asio::any_io_executor loop_;
  const UpsAddress ups_;
  const std::function<void(PowerState::Supply before)> changed_;
  boost::asio::steady_timer timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  PowerState state_;
  BlockingLane lane_;  // last: it ends before what its work refers to
};

}  // namespace gateway::daemon
