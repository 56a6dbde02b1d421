#include "daemon/ops/central_sender.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "core/log.h"
#include "core/text.h"

namespace gateway::daemon {
namespace {

using core::Json;
using crypto::Connection;

constexpr std::int64_t kBatch = 32;

}  // namespace

CentralSender::CentralSender(boost::asio::any_io_executor loop, const sync::HoldingsDoor& door,
                             BlockingLane& lane, const core::Clock& clock, std::string boot_id,
                             SendToCentral send)
    : loop_(std::move(loop)),
      door_(door),
      lane_(lane),
      clock_(clock),
      boot_id_(std::move(boot_id)),
      send_(std::move(send)) {}

void CentralSender::on_standing(bool connected) {
  boost::asio::post(loop_, [this, alive = alive_, connected] {
    if (!*alive) return;
    session_ = connected ? core::cat(boot_id_, '/', ++sessions_) : "";
    wake();
  });
}

void CentralSender::note(std::vector<sync::CentralAlarm> alarms) {
  wake();
  const auto holdings = door_.get();
  if (!holdings || noting_ || noted_ == alarms) return;
  noting_ = true;
  auto change =
      [alarms, origin = sync::EventOrigin{boot_id_, session_, core::to_instant(clock_.wall())}](
          Connection& connection) { return sync::note_alarms(connection, alarms, origin); };
  auto committed = [this, alive = alive_, loop = loop_,
                    alarms = std::move(alarms)](const core::Status& status) mutable {
    boost::asio::post(loop,
                      [this, alive, noted = status.ok(), alarms = std::move(alarms)]() mutable {
                        if (!*alive) return;
                        noting_ = false;
                        if (!noted) return;
                        noted_ = std::move(alarms);
                        wake();
                      });
  };
  holdings->database().write_async(std::move(change), std::move(committed));
}

void CentralSender::wake() {
  again_ = true;
  if (carrying_ || session_.empty() || !door_.get()) return;
  carrying_ = true;
  boost::asio::co_spawn(loop_, carry(), boost::asio::detached);
}

core::net::Awaitable<void> CentralSender::carry() {
  const std::shared_ptr<bool> alive = alive_;
  auto holdings = door_.get();
  again_ = false;
  using Batch = std::vector<sync::CentralMessage>;
  auto load = [holdings = std::move(holdings)]() -> core::Result<Batch> {
    if (!holdings) return Batch();
    return holdings->database().read_value<Batch>(
        [](Connection& connection) { return sync::oldest_central(connection, kBatch); });
  };
  const core::Result<Batch> batch = co_await lane_.run(std::move(load));
  if (!*alive) co_return;
  if (!batch.ok()) core::log_warn("daemon", batch.error().message());
  if (!batch.ok() || batch->empty()) {
    carrying_ = false;
    // What was queued after the reading was not seen by it.
    if (batch.ok() && again_) wake();
    co_return;
  }
  send_all(*batch);
}

void CentralSender::send_all(const std::vector<sync::CentralMessage>& batch) {
  taken_.clear();
  unanswered_ = batch.size();
  for (const sync::CentralMessage& message : batch) {
    send_(message.topic, payload_of(message), message.retained,
          [this, alive = alive_, loop = loop_, number = message.number](bool taken) {
            boost::asio::post(loop, [this, alive, number, taken] {
              if (*alive) on_answered(number, taken);
            });
          });
  }
}

std::string CentralSender::payload_of(const sync::CentralMessage& message) const {
  if (message.topic != sync::kCentralEvents) return message.payload;
  auto payload = Json::parse(message.payload);
  Json document = payload.ok() ? std::move(*payload) : Json::object();
  document.set("sequence", message.number);
  document.set("historical", message.session != session_);
  return document.dump();
}

void CentralSender::on_answered(std::int64_t number, bool taken) {
  if (taken) taken_.push_back(number);
  if (--unanswered_ > 0) return;
  const auto holdings = door_.get();
  if (taken_.empty() || !holdings) return on_forgotten(false);
  auto change = [taken = taken_](Connection& connection) -> core::Status {
    for (const std::int64_t done : taken) GW_CHECK(sync::forget_central(connection, done));
    return {};
  };
  holdings->database().write_async(
      std::move(change), [this, alive = alive_, loop = loop_](const core::Status& status) {
        boost::asio::post(loop, [this, alive, forgotten = status.ok()] {
          if (*alive) on_forgotten(forgotten);
        });
      });
}

/// Where nothing was taken the next wake() tries again: at the latest with the next health.
void CentralSender::on_forgotten(bool forgotten) {
  carrying_ = false;
  if (forgotten || again_) wake();
}

}  // namespace gateway::daemon
