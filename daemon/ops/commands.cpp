#include "daemon/ops/commands.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "core/log.h"
#include "core/text.h"
#include "sync/async_write.h"

namespace gateway::daemon {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::Json;
using core::net::Awaitable;
using crypto::Connection;

constexpr int kSchemaVersion = 1;
constexpr int kWaitingMax = 64;
// Whoever may publish to the topic must not fill the audit trail.
constexpr std::chrono::seconds kRefusalRecordedEvery{10};

Caller caller_of(const sync::CentralCommand& command) {
  return {cat("central:", command.signer), "mqtt"};
}

core::Status append(Connection& connection, const crypto::Audit& audit, core::Wall at,
                    const Caller& who, const std::string& resource, const std::string& outcome) {
  return audit.append(connection, {.at = at,
                                   .actor = who.actor,
                                   .action = "command",
                                   .resource = resource,
                                   .patient = "",
                                   .source = who.source,
                                   .outcome = outcome});
}

std::string resource_of(const sync::CentralCommand& command) {
  return cat("command/", command.kind, '/', command.id);
}

}  // namespace

Commands::Commands(boost::asio::any_io_executor loop, const sync::HoldingsDoor& door,
                   const core::Clock& clock, CommandPolicy policy, CommandCalls calls)
    : loop_(std::move(loop)),
      door_(door),
      clock_(clock),
      policy_(std::move(policy)),
      calls_(std::move(calls)) {}

void Commands::take(std::string envelope) {
  if (++*waiting_ > kWaitingMax) {
    --*waiting_;
    core::log_warn("daemon", "a command of central operations was dropped: too many at once");
    return;
  }
  boost::asio::post(
      loop_, [this, alive = alive_, waiting = waiting_, envelope = std::move(envelope)]() mutable {
        if (!*alive) return;
        boost::asio::co_spawn(loop_, admit(std::move(envelope)), boost::asio::detached);
      });
}

void Commands::go_on() {
  if (door_.get() && (again_ || !looked_back_)) wake();
}

void Commands::wake() {
  again_ = true;
  if (working_) return;
  working_ = true;
  boost::asio::co_spawn(loop_, work(), boost::asio::detached);
}

Awaitable<void> Commands::admit(std::string envelope) {
  const std::shared_ptr<bool> alive = alive_;
  const auto waiting = waiting_;
  const core::Result<sync::CentralCommand> opened = open_command(envelope, policy_);
  const auto holdings = door_.get();
  core::Status refusal;
  auto admission = std::make_shared<sync::Admission>(sync::Admission::repeated);
  if (!opened.ok()) {
    refusal = opened.error();
  } else if (!holdings) {
    refusal = Error(Code::locked, "the gateway is locked; send it again once its status is ready");
  } else {
    crypto::Change change = [admission, command = *opened, &audit = holdings->audit(),
                             now = clock_.wall()](Connection& connection) -> core::Status {
      GW_TRY(*admission, sync::admit_command(connection, command, now));
      if (*admission == sync::Admission::repeated) return {};
      return append(connection, audit, now, caller_of(command), resource_of(command), "accepted");
    };
    refusal = co_await sync::write_async(holdings->database(), std::move(change));
  }
  --*waiting;
  if (!*alive) co_return;
  if (!refusal.ok()) {
    co_await refuse(std::move(envelope), refusal.error());
    co_return;
  }
  calls_.told();
  if (*admission == sync::Admission::accepted) wake();
}

Awaitable<void> Commands::refuse(std::string envelope, Error why) {
  calls_.refuse(Json::object({{"schema", kSchemaVersion},
                              {"id", claimed_id(envelope)},
                              {"state", "refused"},
                              {"code", core::to_string(why.code())},
                              {"reason", why.message()},
                              {"at", core::to_instant(clock_.wall())}}));
  const core::Monotonic now = clock_.monotonic();
  ++refused_since_;
  if (refusal_recorded_ && now - *refusal_recorded_ < kRefusalRecordedEvery) co_return;
  refusal_recorded_ = now;
  const auto count = std::exchange(refused_since_, 0);
  core::log_warn("daemon", cat("a command of central operations was refused: ", why.message(),
                               count > 1 ? cat(" (the last of ", count, ")") : ""));
  const auto holdings = door_.get();
  if (!holdings) co_return;
  // Who it is from nobody knows where the signature is wrong.
  const Caller nobody{"central", "mqtt"};
  crypto::Change change = [&audit = holdings->audit(), at = clock_.wall(), nobody, count,
                           id = claimed_id(envelope),
                           code = why.code()](Connection& connection) -> core::Status {
    return append(connection, audit, at, nobody, cat("command/", id),
                  cat(core::to_string(code), ", ", count, " so far"));
  };
  (void)co_await sync::write_async(holdings->database(), std::move(change));
}

/// One after the other, until none is left.
Awaitable<void> Commands::work() {
  const std::shared_ptr<bool> alive = alive_;
  while (std::exchange(again_, false)) {
    const auto holdings = door_.get();
    if (!holdings) break;
    auto next = std::make_shared<std::optional<sync::CentralCommand>>();
    crypto::Change begin = [next, first = !looked_back_, at = core::to_instant(clock_.wall())](
                               Connection& connection) -> core::Status {
      if (first) GW_CHECK(sync::fail_interrupted_commands(connection, at));
      GW_TRY(*next, sync::next_command(connection));
      return *next ? sync::begin_command(connection, (*next)->id, at) : core::Status();
    };
    const core::Status begun = co_await sync::write_async(holdings->database(), std::move(begin));
    if (!*alive) co_return;
    if (!begun.ok()) {
      core::log_warn("daemon",
                     cat("commands of central operations wait: ", begun.error().message()));
      again_ = true;
      break;
    }
    looked_back_ = true;
    calls_.told();
    if (!*next) continue;
    again_ = true;
    co_await perform(holdings, std::move(**next));
    if (!*alive) co_return;
    calls_.told();
  }
  working_ = false;
}

Awaitable<void> Commands::perform(std::shared_ptr<sync::Holdings> holdings,
                                  sync::CentralCommand command) {
  sync::CommandEnd end = co_await outcome_of(command);
  const std::string outcome = end.reason.empty() ? "success" : "failed";
  const core::Wall now = clock_.wall();
  crypto::Change change = [&audit = holdings->audit(), command, end = std::move(end), now,
                           outcome](Connection& connection) -> core::Status {
    GW_CHECK(sync::end_command(connection, command.id, end, core::to_instant(now)));
    return append(connection, audit, now, caller_of(command), resource_of(command), outcome);
  };
  const core::Status ended = co_await sync::write_async(holdings->database(), std::move(change));
  // The next start tells that nobody knows its end.
  if (!ended.ok()) {
    core::log_error("daemon", ended.error().message());
    co_return;
  }
  core::log_info("daemon", cat("command ", command.kind, ' ', command.id, " of ", command.signer,
                               ": ", outcome));
}

Awaitable<sync::CommandEnd> Commands::outcome_of(sync::CentralCommand command) {
  sync::CommandEnd end;
  if (command.expires <= clock_.wall()) {
    end.reason = "it expired before it could be begun";
    co_return end;
  }
  const core::Result<Json> parameters = Json::parse(command.parameters);
  auto request = command_request(command.kind, parameters.ok() ? *parameters : Json());
  if (!request.ok()) {
    end.reason = request.error().message();
    co_return end;
  }
  Caller caller = caller_of(command);
  const core::Result<Json> answer = co_await calls_.ask(std::move(*request), std::move(caller));
  if (answer.ok()) {
    end.result = command_result(command.kind, *answer);
  } else {
    end.reason = answer.error().message();
  }
  co_return end;
}

}  // namespace gateway::daemon
