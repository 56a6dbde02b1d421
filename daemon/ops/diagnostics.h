// What the control socket answers to whoever looks for a fault:
//
//   GET  /v1/doctor          {"findings":[...]}
//   GET  /v1/certificates    own certificates and authorities, with the days left
//   GET  /v1/support-bundle  {"bytes","sha256","archive":"<base64>"}: support_bundle.h
//   POST /v1/support-bundle  the same, kept in the state folder in place of the one before
//                            -> {"file","bytes","sha256"}
//
// And to central operations alone, by a command: the same, and queued for them in chunks too
// (bundle_chunks.h) -> {"file","bytes","sha256","chunks"}.
//
// Loop thread only; the work is done on a lane of its own: far servers that are asked must not
// hold up health and status.
#pragma once

#include <functional>
#include <string>

#include "core/clock.h"
#include "core/config.h"
#include "daemon/ops/control.h"
#include "daemon/ops/vitals.h"
#include "daemon/settings.h"
#include "sync/holdings.h"

namespace gateway::daemon {

class Diagnostics {
 public:
  using JsonAnswer = ControlActions::JsonAnswer;
  using Gather = std::function<core::net::Awaitable<Vitals>()>;

  /// All it is given by reference outlives it.
  Diagnostics(const core::Config& config, const Settings& settings, const std::string& config_path,
              const sync::HoldingsDoor& door, const core::Clock& clock, Gather vitals)
      : config_(config),
        settings_(settings),
        config_path_(config_path),
        door_(door),
        clock_(clock),
        vitals_(std::move(vitals)) {}

  JsonAnswer doctor();
  JsonAnswer certificates();
  JsonAnswer support_bundle(const std::string& method);
  JsonAnswer send_support_bundle();

 private:
  enum class Destination { asker, file, central };
  JsonAnswer make_bundle_for(Destination destination);

  const core::Config& config_;
  const Settings& settings_;
  const std::string& config_path_;
  const sync::HoldingsDoor& door_;
  const core::Clock& clock_;
  const Gather vitals_;
};

}  // namespace gateway::daemon
