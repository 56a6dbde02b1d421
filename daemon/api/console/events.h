// The overview as server-sent events (WHATWG HTML 9.2): looked at every two seconds, sent when it
// changed, a comment every fifteen seconds otherwise, so that a browser that went is noticed.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/clock.h"
#include "core/json.h"
#include "core/net/http.h"
#include "core/result.h"

namespace gateway::daemon::console {

class OverviewEvents final : public core::net::BodyStream {
 public:
  using Look = std::function<core::net::Awaitable<core::Result<core::Json>>()>;
  /// Ends when `lives` says no. Holds `place` for as long as it is.
  OverviewEvents(Look look, std::function<bool()> lives, std::shared_ptr<void> place);
  core::net::Awaitable<std::string> next() override;

 private:
  Look look_;
  std::function<bool()> lives_;
  std::shared_ptr<void> place_;
  std::string sent_;
  bool ended_ = false;
};

}  // namespace gateway::daemon::console
