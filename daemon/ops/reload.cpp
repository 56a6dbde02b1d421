#include "daemon/ops/reload.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <utility>

#include "core/config_change.h"
#include "core/log.h"
#include "core/text.h"
#include "daemon/ops/service_notify.h"
#include "sync/async_write.h"

namespace gateway::daemon {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::Json;
using core::net::Awaitable;

constexpr std::size_t kToldMax = 20;

Error mistakes_error(const std::vector<std::string>& mistakes) {
  std::string text = "the configuration has mistakes and nothing was changed:";
  for (std::size_t i = 0; i < mistakes.size() && i < kToldMax; ++i) text += cat('\n', mistakes[i]);
  if (mistakes.size() > kToldMax) text += cat("\nand ", mistakes.size() - kToldMax, " more");
  return {Code::invalid, text};
}

Json list_of(const std::vector<std::string>& keys) {
  Json list = Json::array();
  for (const std::string& key : keys) list.add(key);
  return list;
}

std::string listed(const std::vector<std::string>& keys) {
  std::string text;
  for (const std::string& key : keys) text += cat(text.empty() ? "" : ", ", key);
  return text;
}

void tell(const ReloadPlan& plan) {
  core::log_info("daemon", plan.taken.empty() && plan.at_restart.empty()
                               ? std::string("the configuration was read again: nothing changed")
                               : cat("the configuration was read again; taken up: ",
                                     plan.taken.empty() ? "nothing" : listed(plan.taken)));
  if (!plan.at_restart.empty())
    core::log_warn("daemon", cat("after a restart only: ", listed(plan.at_restart)));
}

}  // namespace

ControlActions::JsonAnswer Reload::answer(Caller caller) {
  notify_reloading();
  auto read = [path = config_path_, is_hub = is_hub_] { return read_checked_config(path, is_hub); };
  CheckedConfig checked = co_await lane_.run(std::move(read));
  if (stopped_) co_return Error(Code::cancelled, "the gateway stops");
  core::Result<Json> outcome = take(std::move(checked));
  calls_.settled();
  const bool taken = outcome.ok();
  co_await record(std::move(caller), taken);
  co_return outcome;
}

core::Result<Json> Reload::take(CheckedConfig checked) {
  if (!checked.mistakes.empty()) {
    for (const std::string& line : checked.mistakes)
      core::log_error("daemon", cat("the configuration is not taken up: ", line));
    return mistakes_error(checked.mistakes);
  }
  const ReloadPlan plan = plan_reload(config_, files_, checked.config, checked.files);
  keep_until_restart(plan, checked);
  files_ = std::move(checked.files);
  at_restart_ = plan.at_restart;
  calls_.take_up(plan, std::move(checked.config));
  tell(plan);
  return Json::object({{"taken", list_of(plan.taken)}, {"at_restart", list_of(plan.at_restart)}});
}

/// Each reload until then says it again.
void Reload::keep_until_restart(const ReloadPlan& plan, CheckedConfig& checked) {
  for (const std::string& kept : plan.kept) core::keep_as_in(checked.config, kept, config_);
  for (const std::string& key : plan.at_restart) {
    checked.files.erase(key);
    if (const auto mark = files_.find(key); mark != files_.end()) checked.files.insert(*mark);
  }
}

std::vector<Problem> Reload::problems() const {
  std::vector<Problem> problems;
  for (const std::string& key : at_restart_) {
    problems.push_back(
        {"restart", cat(key,
                        " was changed, which takes a restart: sudo systemctl restart "
                        "clinic-gateway")});
  }
  return problems;
}

Awaitable<void> Reload::record(Caller caller, bool taken) {
  const auto holdings = door_.get();
  if (!holdings) co_return;
  crypto::Change change = [&audit = holdings->audit(), at = clock_.wall(),
                           caller = std::move(caller),
                           taken](crypto::Connection& connection) -> core::Status {
    return audit.append(connection, {.at = at,
                                     .actor = caller.actor,
                                     .action = "reload",
                                     .resource = "configuration",
                                     .patient = "",
                                     .source = caller.source,
                                     .outcome = taken ? "success" : "refused"});
  };
  const core::Status written = co_await sync::write_async(holdings->database(), std::move(change));
  if (!written.ok()) core::log_error("daemon", written.error().message());
}

void Reload::on_signal() {
  again_ = true;
  if (std::exchange(following_, true)) return;
  boost::asio::co_spawn(loop_, follow_signals(), boost::asio::detached);
}

Awaitable<void> Reload::follow_signals() {
  while (std::exchange(again_, false) && !stopped_) {
    Caller caller{"operator", "signal"};
    (void)co_await answer(std::move(caller));
  }
  following_ = false;
}

}  // namespace gateway::daemon
