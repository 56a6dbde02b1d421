#include "adapters/hl7/work_order_line.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <exception>

#include "core/log.h"
#include "core/text.h"

namespace gateway::adapters::hl7 {
namespace {

namespace asio = boost::asio;
using core::cat;
using core::net::Awaitable;

constexpr std::size_t kWaitingMax = 200;

}  // namespace

WorkOrderLine::WorkOrderLine(std::string device, MllpPeer peer, LookUp look_up,
                             const core::Clock& clock)
    : device_(std::move(device)),
      peer_(std::move(peer)),
      look_up_(std::move(look_up)),
      clock_(clock) {}

void WorkOrderLine::open() {
  const std::lock_guard lock(mutex_);
  is_closed_ = false;
}

std::string_view WorkOrderLine::send(const asio::any_io_executor& loop,
                                     std::vector<AskedTube> tubes) {
  {
    const std::lock_guard lock(mutex_);
    if (is_closed_) return "the gateway stops; ask again later";
    if (!take(std::move(tubes))) return "too many work orders wait; ask again later";
    if (is_running_ || waiting_.empty()) return {};
    is_running_ = true;
    loop_ = loop;
  }
  // It may begin at once, on this very thread.
  asio::co_spawn(loop, run(shared_from_this()),
                 [self = shared_from_this()](const std::exception_ptr& thrown) {
                   if (thrown) self->give_up();
                 });
  return {};
}

void WorkOrderLine::close() {
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
  waiting_.clear();
  if (line_) asio::post(loop_, [line = line_] { line->close(); });
}

Awaitable<void> WorkOrderLine::run(std::shared_ptr<WorkOrderLine> self) {
  while (const auto tube = self->next()) {
    auto message = self->look_up_(*tube);
    std::string problem;
    if (!message.ok()) {
      problem = message.error().message();
    } else if (message->has_value()) {
      problem = co_await self->say(std::move(**message));
    }
    if (problem.empty()) continue;
    core::log_warn("hl7", cat("device ", self->device_, ": a work order it asked for: ", problem,
                              "; it has to ask again"));
  }
}

Awaitable<std::string> WorkOrderLine::say(WorkOrderMessage message) {
  const asio::any_io_executor loop = co_await asio::this_coro::executor;
  const auto tls = tls_of(peer_, tls_);
  if (!tls.ok()) {
    drop_waiting();
    co_return tls.error().message();
  }
  tls_ = *tls;
  const std::shared_ptr<MllpLine> line = MllpLine::create(loop, peer_, tls_, clock_);
  if (!hold(line)) co_return "the gateway stops";
  std::string problem;
  const core::Status opened = co_await line->open();
  if (opened.ok()) {
    const auto answer = co_await line->say(std::move(message.text), std::move(message.control_id));
    if (!answer.ok()) {
      problem = answer.error().message();
    } else if (answer->what != OrderAnswer::What::taken) {
      // Not its words: they may name a patient.
      problem = cat("the device answered ", answer->code);
    }
  } else {
    problem = opened.error().message();
    drop_waiting();
  }
  line->close();
  release();
  co_return problem;
}

/// False: there would be too many; none is.
bool WorkOrderLine::take(std::vector<AskedTube> tubes) {
  std::vector<AskedTube> others;
  for (AskedTube& tube : tubes) {
    const auto waits = std::ranges::find_if(waiting_, [&](const AskedTube& one) {
      return one.specimen == tube.specimen && one.asker == tube.asker;
    });
    if (waits == waiting_.end()) {
      others.push_back(std::move(tube));
    } else {
      waits->tells_none = waits->tells_none || tube.tells_none;
    }
  }
  if (waiting_.size() + others.size() > kWaitingMax) return false;
  std::ranges::move(others, std::back_inserter(waiting_));
  return true;
}

std::optional<AskedTube> WorkOrderLine::next() {
  const std::lock_guard lock(mutex_);
  if (waiting_.empty()) {
    is_running_ = false;
    loop_ = {};
    return std::nullopt;
  }
  AskedTube tube = std::move(waiting_.front());
  waiting_.pop_front();
  return tube;
}

/// False: it was closed meanwhile.
bool WorkOrderLine::hold(std::shared_ptr<MllpLine> line) {
  const std::lock_guard lock(mutex_);
  if (is_closed_) return false;
  line_ = std::move(line);
  return true;
}

void WorkOrderLine::release() {
  const std::lock_guard lock(mutex_);
  line_.reset();
}

/// Whoever cannot be reached now is not tried for each of them.
void WorkOrderLine::drop_waiting() {
  const std::lock_guard lock(mutex_);
  waiting_.clear();
}

/// Something threw that never does: the next query begins anew.
void WorkOrderLine::give_up() {
  const std::lock_guard lock(mutex_);
  if (line_) line_->close();
  line_.reset();
  waiting_.clear();
  is_running_ = false;
  loop_ = {};
  core::log_error(
      "hl7", cat("device ", device_, ": telling it its work orders failed; it has to ask again"));
}

}  // namespace gateway::adapters::hl7
