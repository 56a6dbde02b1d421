// Recordings of what passes on a device's connections, for whoever writes or mends its profile:
//
//   GET  /v1/letters/captures         {"captures":[{"number","device","received_at","bytes"}],
//                                      "running":[{"device","ends_at","bytes","full"}]}
//   POST /v1/letters/captures         {"device":"NAME","seconds":N}: begins -> {"device","ends_at"}
//   POST /v1/letters/captures/stop    {"device":"NAME"}: ends it now -> {"device"}
//   GET  /v1/letters/captures/N       {"number","device","received_at","recording" (base64)}
//
// A recording is bounded in time and bytes (adapters/frame/line_recorder.h). It lies in memory
// until it ends and is then kept as the device's messages are: in the encrypted database, as long
// as their raw bytes. A stop of the gateway before that loses it; the device's messages are stored
// as ever. Who began, ended or read one is in the audit trail. With patients. Loop thread only.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "core/clock.h"
#include "core/config.h"
#include "core/json.h"
#include "daemon/blocking.h"
#include "daemon/device_listeners.h"
#include "daemon/ops/control.h"
#include "sync/holdings.h"

namespace gateway::daemon {

class Captures {
 public:
  /// All references outlive this.
  Captures(boost::asio::any_io_executor loop, const core::Config& config, DeviceListeners& devices,
           const sync::HoldingsDoor& door, BlockingLane& lane, const core::Clock& clock)
      : loop_(std::move(loop)),
        config_(config),
        devices_(devices),
        door_(door),
        lane_(lane),
        clock_(clock) {}
  ~Captures();
  Captures(const Captures&) = delete;
  Captures& operator=(const Captures&) = delete;

  static bool is_route(std::string_view path);
  core::net::Awaitable<core::Result<core::Json>> answer(std::string method, std::string path,
                                                        std::string body, Caller caller);
  /// Ends those that run, before their listeners go; what there is of them is kept.
  void finish();

 private:
  struct Wish {
    std::string device;
    std::chrono::seconds time{};
  };
  struct Running {
    std::string device;
    core::Monotonic ends{};
    std::string ends_at;
    boost::asio::steady_timer look;
    std::optional<std::string> recorded = {};  // by finish()
  };

  core::Result<Wish> wish_of(const std::string& body) const;
  core::Result<Running*> begin(const Wish& wish);
  core::net::Awaitable<void> keep_until_it_ends(std::list<Running>::iterator running);
  core::net::Awaitable<core::Status> store(std::string device, std::string recording);
  core::net::Awaitable<core::Result<core::Json>> list();
  core::net::Awaitable<core::Result<core::Json>> show(std::string number, Caller caller);
  core::net::Awaitable<core::Status> note(std::string action, std::string resource, Caller caller);

  const boost::asio::any_io_executor loop_;
  const core::Config& config_;
  DeviceListeners& devices_;
  const sync::HoldingsDoor& door_;
  BlockingLane& lane_;
  const core::Clock& clock_;
  std::list<Running> running_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gateway::daemon
