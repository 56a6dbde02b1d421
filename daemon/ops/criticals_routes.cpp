#include "daemon/ops/criticals_routes.h"

#include <charconv>

#include "core/text.h"
#include "sync/critical_results.h"

namespace gateway::daemon {
namespace {

using core::Code;
using core::Error;
using core::Json;

}  // namespace

core::Result<Json> answer_criticals(sync::Holdings& holdings, const core::Clock& clock,
                                    std::string_view method, std::string_view path,
                                    const Caller& caller) {
  if (path == kCriticalRoutes) {
    if (method != "GET") return Error(Code::refused, "this route takes GET");
    return holdings.database().read_value<Json>(sync::criticals_report);
  }
  const std::string_view text = path.substr(kCriticalRoutes.size() + 1);
  std::int64_t number = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (wrong != std::errc() || end != text.data() + text.size())
    return Error(Code::not_found, "there is no such result");
  if (method != "POST") return Error(Code::refused, "this route takes POST");
  const auto note = [&](crypto::Connection& connection) -> core::Status {
    GW_CHECK(sync::acknowledge_critical(connection, number, caller.actor,
                                        core::to_instant(clock.wall())));
    return holdings.audit().append(connection, {.at = clock.wall(),
                                                .actor = caller.actor,
                                                .action = "acknowledge-critical",
                                                .resource = core::cat("message/", number),
                                                .patient = "",
                                                .source = caller.source,
                                                .outcome = "done"});
  };
  GW_CHECK(holdings.database().write(note));
  return Json::object({{"number", number}});
}

}  // namespace gateway::daemon
