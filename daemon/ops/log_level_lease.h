// Another log level for a while, then the configured one again; a restart ends it too. Route:
//
//   POST /v1/log-level  {"level":"debug","minutes":30}  -> {"level","until"}
//
// Loop thread only.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <string>

#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "core/result.h"

namespace gateway::daemon {

class LogLevelLease {
 public:
  /// `clock` outlives it.
  LogLevelLease(const boost::asio::any_io_executor& loop, const core::Clock& clock,
                core::Level usual)
      : clock_(clock), usual_(usual), end_(loop) {}

  /// Takes the place of the one before. Code::invalid: no such level, or not 1 to 1440 minutes.
  core::Result<core::Json> take(const std::string& body);
  /// The configured level is another: it holds at once, and a lease ends.
  void set_usual(core::Level usual);

 private:
  const core::Clock& clock_;
  core::Level usual_;
  boost::asio::steady_timer end_;
};

}  // namespace gateway::daemon
