#include "daemon/ops/uplinks_routes.h"

#include <utility>
#include <vector>

#include "core/text.h"
#include "sync/async_write.h"
#include "sync/uplink_pauses.h"

namespace gateway::daemon {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::Json;
using Names = std::vector<std::string>;

/// The one that is named, or all there are.
core::Result<Names> names_asked(const Json& report, const Json& wish) {
  const std::string_view asked = wish["uplink"].text();
  Names names;
  for (const Json& uplink : report.items()) {
    const std::string_view name = uplink["name"].text();
    if (asked.empty() || name == asked) names.emplace_back(name);
  }
  if (!names.empty()) return names;
  return Error(Code::not_found, asked.empty() ? "no uplink is configured"
                                              : cat("there is no uplink \"", asked, "\""));
}

crypto::Change audited(sync::Holdings& holdings, const core::Clock& clock, const Caller& caller,
                       std::string action, Names names,
                       std::function<core::Status(crypto::Connection&, const std::string&)> each) {
  return [&audit = holdings.audit(), at = clock.wall(), caller, action = std::move(action),
          names = std::move(names),
          each = std::move(each)](crypto::Connection& connection) -> core::Status {
    for (const std::string& name : names) {
      if (each) GW_CHECK(each(connection, name));
      GW_CHECK(audit.append(connection, {.at = at,
                                         .actor = caller.actor,
                                         .action = action,
                                         .resource = cat("uplink/", name),
                                         .patient = "",
                                         .source = caller.source,
                                         .outcome = "success"}));
    }
    return {};
  };
}

ControlActions::JsonAnswer pause(SyncComponent& uplinks, std::shared_ptr<sync::Holdings> holdings,
                                 const core::Clock& clock, Names names, bool paused,
                                 Caller caller) {
  const auto keep = [paused](crypto::Connection& connection, const std::string& name) {
    return sync::keep_paused(connection, name, paused);
  };
  crypto::Change change =
      audited(*holdings, clock, caller, paused ? "pause" : "resume", names, keep);
  GW_CO_CHECK(co_await sync::write_async(holdings->database(), std::move(change)));
  Json changed = Json::array();
  for (const std::string& name : names) {
    GW_CO_CHECK(uplinks.set_paused(name, paused));
    changed.add(name);
  }
  co_return Json::object({{"changed", changed}});
}

ControlActions::JsonAnswer probe(SyncComponent& uplinks, std::shared_ptr<sync::Holdings> holdings,
                                 const core::Clock& clock, Names names, Caller caller) {
  crypto::Change change = audited(*holdings, clock, caller, "probe", names, nullptr);
  GW_CO_CHECK(co_await sync::write_async(holdings->database(), std::move(change)));
  holdings.reset();
  Json rows = Json::array();
  for (const std::string& name : names) {
    const core::Result<Json> found = co_await uplinks.probe(name);
    Json row = Json::object({{"name", name}});
    row.set("server", found.ok() ? *found : Json());
    row.set("error", found.ok() ? Json() : Json(found.error().message()));
    rows.add(row);
  }
  co_return Json::object({{"uplinks", rows}});
}

}  // namespace

ControlActions::JsonAnswer answer_uplinks(SyncComponent& uplinks,
                                          std::shared_ptr<sync::Holdings> holdings,
                                          const core::Clock& clock, std::string method,
                                          std::string path, std::string body, Caller caller) {
  if (method != "POST") co_return Error(Code::refused, "this route takes POST");
  GW_CO_TRY(const Json wish, Json::parse(body, 4));
  GW_CO_TRY(Names names, names_asked(uplinks.report(), wish));
  if (path == cat(kUplinkRoutes, "/probe"))
    co_return co_await probe(uplinks, std::move(holdings), clock, std::move(names),
                             std::move(caller));
  if (path == cat(kUplinkRoutes, "/pause")) {
    if (!wish["paused"].is_bool())
      co_return Error(Code::invalid, R"(the body must be {"uplink":"...","paused":true or false})");
    co_return co_await pause(uplinks, std::move(holdings), clock, std::move(names),
                             wish["paused"].boolean(), std::move(caller));
  }
  if (path != cat(kUplinkRoutes, "/sync"))
    co_return Error(Code::not_found, "there is no such route");
  crypto::Change change = audited(*holdings, clock, caller, "sync", std::move(names), nullptr);
  GW_CO_CHECK(co_await sync::write_async(holdings->database(), std::move(change)));
  GW_CO_CHECK(uplinks.sync_now());
  co_return Json::object({{"tried", true}});
}

}  // namespace gateway::daemon
