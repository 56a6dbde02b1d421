#include "daemon/ops/log_level_lease.h"

#include <chrono>

namespace gateway::daemon {
namespace {

using core::Code;
using core::Error;
using core::Json;

constexpr std::int64_t kMinutesMax = 24 * 60;

}  // namespace

core::Result<Json> LogLevelLease::take(const std::string& body) {
  GW_TRY(const Json wish, Json::parse(body, 4));
  GW_TRY(const core::Level level, core::parse_log_level(wish["level"].text()));
  const auto minutes = wish["minutes"].integer();
  if (!minutes || *minutes < 1 || *minutes > kMinutesMax)
    return Error(Code::invalid, "the minutes must be 1 to 1440");
  const std::chrono::minutes lasts(*minutes);
  core::log_info("daemon", "another log level for a while");
  core::set_log_level(level);
  end_.expires_after(lasts);
  end_.async_wait([usual = usual_](const boost::system::error_code& error) {
    if (error) return;
    core::set_log_level(usual);
    core::log_info("daemon", "the log level is the configured one again");
  });
  return Json::object(
      {{"level", wish["level"]}, {"until", core::to_instant(clock_.wall() + lasts)}});
}

void LogLevelLease::set_usual(core::Level usual) {
  usual_ = usual;
  end_.cancel();
  core::set_log_level(usual);
}

}  // namespace gateway::daemon
