#include "sync/service.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstring>
#include <iterator>
#include <map>
#include <typeinfo>

#include "core/ids.h"
#include "core/log.h"
#include "core/text.h"
#include "sync/async_write.h"
#include "sync/engine.h"
#include "sync/outbox.h"
#include "sync/patient_trail.h"
#include "sync/uplink_pauses.h"

namespace gateway::sync {
namespace {

namespace asio = boost::asio;
using core::Json;
using core::net::Awaitable;

constexpr core::Milliseconds kBeginAgainAfter{5'000};

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  std::memcpy(&seed, core::random_bytes(sizeof seed).data(), sizeof seed);
  return seed;
}

std::string_view state_name(UplinkStanding::State state) {
  switch (state) {
    case UplinkStanding::State::unknown:
      return "unknown";
    case UplinkStanding::State::up:
      return "up";
    case UplinkStanding::State::down:
      return "down";
  }
  return "unknown";
}

class SteadyAlarm final : public Alarm {
 public:
  explicit SteadyAlarm(const asio::any_io_executor& loop) : timer_(loop) {}
  void set(core::Monotonic time, std::function<void()> ring) override {
    timer_.expires_at(time);
    timer_.async_wait([ring = std::move(ring)](boost::system::error_code cancelled) {
      if (!cancelled) ring();
    });
  }
  void cancel() override { timer_.cancel(); }

 private:
  asio::steady_timer timer_;
};

/// What was thrown is a defect of ours and may quote what was being worked on: its kind is told,
/// and nothing of what it says.
void log_defect(const Uplink& uplink, std::string_view doing, const std::exception& defect) {
  core::log_error("sync", core::cat("uplink ", uplink.name(), ": a defect of ours ended ", doing,
                                    " (", typeid(defect).name(), "); please report it"));
}

Awaitable<std::optional<std::vector<RowOutcome>>> try_to_deliver(Uplink& uplink,
                                                                 std::vector<OutboxRow> rows) {
  try {
    co_return co_await uplink.deliver(std::move(rows));
  } catch (const std::exception& defect) {
    log_defect(uplink, "a delivery", defect);
  }
  co_return std::nullopt;
}

/// Each by itself but for those that only go together.
std::vector<std::vector<OutboxRow>> taken_apart(std::vector<OutboxRow> rows) {
  std::vector<std::vector<OutboxRow>> parts;
  std::map<std::int64_t, std::size_t> circles;
  for (OutboxRow& row : rows) {
    const auto [at, fresh] = circles.emplace(row.circle, parts.size());
    if (row.circle == 0 || fresh) {
      parts.push_back({std::move(row)});
    } else {
      parts[at->second].push_back(std::move(row));
    }
  }
  return parts;
}

/// An outcome of every row, whatever the uplink throws: one that it trips over must not be sent for
/// ever, nor hold back those that were claimed with it.
Awaitable<std::vector<RowOutcome>> deliver_all(Uplink& uplink, std::vector<OutboxRow> rows) {
  if (auto outcomes = co_await try_to_deliver(uplink, rows)) co_return std::move(*outcomes);
  for (OutboxRow& row : rows) row.perhaps_sent = true;
  std::vector<RowOutcome> all;
  const auto parts = taken_apart(std::move(rows));
  for (const std::vector<OutboxRow>& part : parts) {
    auto outcomes = co_await try_to_deliver(uplink, part);
    if (outcomes) {
      std::ranges::move(*outcomes, std::back_inserter(all));
      continue;
    }
    for (const OutboxRow& row : part)
      all.push_back(ended(row, Delivery::failed, "internal error; see the log"));
  }
  co_return all;
}

Awaitable<PullReport> pull_all(Uplink& uplink) {
  PullReport report;
  try {
    co_return co_await uplink.pull();
  } catch (const std::exception& defect) {
    log_defect(uplink, "a pull", defect);
    report.error = "internal error; see the log";
  }
  co_return report;
}

class Service final : public SyncService, public std::enable_shared_from_this<Service> {
 public:
  Service(asio::any_io_executor loop, std::shared_ptr<Holdings> holdings,
          std::vector<std::unique_ptr<Uplink>> uplinks, const core::Clock& clock,
          ServiceSeams seams)
      : loop_(loop),
        holdings_(std::move(holdings)),
        clock_(clock),
        alarm_(std::move(seams.alarm)),
        engine_(limits_of(uplinks), {}, seams.seed) {
    for (auto& uplink : uplinks) {
      std::string name = uplink->name();
      if (UplinkHours hours = uplink->limits().hours; hours.is_limited())
        hours_.emplace(name, std::move(hours));
      uplinks_[std::move(name)] = std::move(uplink);
    }
  }

  /// Once there is somebody to tell.
  void listen_for_hints() {
    for (auto& [name, uplink] : uplinks_) {
      uplink->on_hint([weak = weak_from_this(), name = name] {
        if (const auto self = weak.lock()) self->step(event::PullHinted{name});
      });
    }
  }

  void start() override { asio::co_spawn(loop_, begin(shared_from_this()), asio::detached); }

  void stop() override {
    stopped_ = true;
    alarm_->cancel();
    for (auto& [name, uplink] : uplinks_) uplink->close();
  }

  void wake() override {
    if (wake_posted_.exchange(true)) return;
    asio::post(loop_, [self = shared_from_this()] {
      self->wake_posted_ = false;
      self->step(event::Queued{});
    });
  }

  void sync_now() override { step(event::SyncWanted{}); }

  void set_paused(const std::string& uplink, bool paused) override {
    if (uplinks_.contains(uplink)) step(event::PauseSet{uplink, paused});
  }

  Awaitable<core::Result<Json>> probe(std::string uplink) override {
    // The uplink lives as long as the service.
    const auto self = shared_from_this();
    const auto found = uplinks_.find(uplink);
    if (found == uplinks_.end())
      co_return core::Error(core::Code::not_found,
                            core::cat("there is no uplink \"", uplink, "\""));
    co_return co_await found->second->probe();
  }

  Json report() const override {
    Json list = Json::array();
    for (const auto& [name, uplink] : uplinks_) {
      const UplinkStanding& standing = engine_.standing(name);
      const auto success = last_success_.find(name);
      list.add(Json::object(
          {{"name", name},
           {"kind", uplink->kind()},
           {"state", state_name(standing.state)},
           {"paused", standing.paused},
           {"open", standing.open},
           {"last_success", success == last_success_.end() ? Json() : Json(success->second)},
           {"last_error", standing.last_error},
           {"in_flight", static_cast<std::int64_t>(standing.in_flight)},
           {"server", uplink->abilities()}}));
    }
    return list;
  }

  std::uint64_t turns() const override { return turns_; }

 private:
  static std::map<std::string, UplinkLimits> limits_of(
      const std::vector<std::unique_ptr<Uplink>>& uplinks) {
    std::map<std::string, UplinkLimits> limits;
    for (const auto& uplink : uplinks) limits[uplink->name()] = uplink->limits();
    return limits;
  }

  static Awaitable<void> begin(std::shared_ptr<Service> self) {
    const auto paused = std::make_shared<std::vector<std::string>>();
    crypto::Change release = [paused](crypto::Connection& connection) -> core::Status {
      GW_CHECK(release_claims(connection));
      GW_TRY(*paused, paused_uplinks(connection));
      return {};
    };
    const auto released = co_await write_async(self->holdings_->database(), std::move(release));
    if (self->stopped_) co_return;
    if (!released.ok()) {
      // Rows left as being sent would stay so: nothing begins before they wait again.
      core::log_error("sync", core::cat("nothing is sent yet: ", released.error().message()));
      self->alarm_->set(self->clock_.monotonic() + kBeginAgainAfter, [self] { self->start(); });
      co_return;
    }
    self->has_begun_ = true;
    for (const std::string& uplink : *paused) self->set_paused(uplink, true);
    self->step(event::Started{});
  }

  void step(const Event& event) {
    if (stopped_ || !has_begun_) return;
    ++turns_;
    look_at_hours();
    take_step(event);
    if (const auto change = next_change_of_hours(); change && (!wake_at_ || *change < *wake_at_))
      set_alarm(*change);
  }
  void take_step(const Event& event) {
    for (Effect& effect : engine_.step(clock_.monotonic(), event)) {
      std::visit([this](auto& wanted) { carry_out(wanted); }, effect);
    }
  }

  void look_at_hours() {
    for (const auto& [name, hours] : hours_) {
      const bool is_open = hours.is_open(clock_.wall());
      auto& was_open = was_open_[name];
      if (was_open == is_open) continue;
      was_open = is_open;
      take_step(event::HoursBegan{name, is_open});
    }
  }
  std::optional<core::Monotonic> next_change_of_hours() const {
    std::optional<core::Monotonic> next;
    for (const auto& [name, hours] : hours_) {
      const core::Monotonic change = clock_.monotonic() + hours.until_change(clock_.wall());
      next = std::min(next.value_or(change), change);
    }
    return next;
  }
  void set_alarm(core::Monotonic time) {
    wake_at_ = time;
    alarm_->set(time, [self = shared_from_this()] {
      self->wake_at_.reset();
      self->step(event::Ticked{});
    });
  }

  void carry_out(effect::ClaimRows& wanted) {
    asio::co_spawn(loop_, claim(shared_from_this(), std::move(wanted)), asio::detached);
  }
  void carry_out(effect::DeliverRows& wanted) {
    asio::co_spawn(loop_, deliver(shared_from_this(), std::move(wanted)), asio::detached);
  }
  void carry_out(effect::RecordVerdicts& wanted) {
    asio::co_spawn(loop_, record(shared_from_this(), std::move(wanted)), asio::detached);
  }
  void carry_out(effect::StartPull& wanted) {
    asio::co_spawn(loop_, pull(shared_from_this(), std::move(wanted.uplink)), asio::detached);
  }
  void carry_out(effect::WakeAt& wanted) { set_alarm(wanted.time); }

  static Awaitable<void> claim(std::shared_ptr<Service> self, effect::ClaimRows wanted) {
    auto claimed = std::make_shared<Claim>();
    Settling& settling = self->holdings_->settling();
    const core::Monotonic now = self->clock_.monotonic();
    ClaimLimits limits{
        wanted.rows_max,
        wanted.bytes_max,
        std::move(wanted.held),
        [&settling, now](const std::string& subject) { return settling.is_settling(subject, now); },
        wanted.only_stat,
        wanted.in_any_order};
    crypto::Change mark = [claimed, limits,
                           uplink = wanted.uplink](crypto::Connection& connection) -> core::Status {
      GW_TRY(*claimed, claim_rows(connection, uplink, limits));
      return {};
    };
    const core::Status status = co_await write_async(self->holdings_->database(), std::move(mark));
    event::Claimed event{wanted.uplink, std::move(claimed->rows), std::nullopt, ""};
    if (claimed->skipped_settling) event.settles_at = settling.next(self->clock_.monotonic());
    if (!status.ok()) {
      event.rows.clear();
      event.error = status.error().message();
    }
    self->step(event);
  }

  static Awaitable<void> deliver(std::shared_ptr<Service> self, effect::DeliverRows wanted) {
    auto outcomes = co_await deliver_all(*self->uplinks_.at(wanted.uplink), std::move(wanted.rows));
    const bool got_through = std::ranges::any_of(
        outcomes, [](const RowOutcome& outcome) { return outcome.result == Delivery::delivered; });
    if (got_through) self->note_success(wanted.uplink);
    self->note_standing(wanted.uplink, [&] {
      const std::size_t window = self->uplinks_.at(wanted.uplink)->window();
      self->step(event::Delivered{wanted.uplink, std::move(outcomes), window});
    });
  }

  static Awaitable<void> pull(std::shared_ptr<Service> self, std::string uplink) {
    PullReport report = co_await pull_all(*self->uplinks_.at(uplink));
    if (report.reached && !report.idle && report.refused.empty()) self->note_success(uplink);
    self->note_standing(uplink, [&] { self->step(event::Pulled{uplink, std::move(report)}); });
  }

  void note_success(const std::string& name) {
    last_success_[name] = core::to_instant(clock_.wall());
  }

  /// One line when an uplink goes down or comes back, not one per try.
  template <class Body>
  void note_standing(const std::string& name, Body body) {
    const auto before = engine_.standing(name).state;
    body();
    const UplinkStanding& standing = engine_.standing(name);
    if (standing.state == before) return;
    if (standing.state == UplinkStanding::State::up) {
      core::log_info("sync", core::cat("uplink ", name, " is up"));
    } else {
      core::log_warn("sync", core::cat("uplink ", name, " is down: ", standing.last_error));
    }
  }

  static Awaitable<void> record(std::shared_ptr<Service> self, effect::RecordVerdicts wanted) {
    for (const Verdict& verdict : wanted.verdicts) {
      if (verdict.what == Verdict::What::park) {
        core::log_warn("sync", core::cat("uplink ", wanted.uplink, ": item ", verdict.number,
                                         " is parked; see clinic-gateway queue"));
      }
    }
    // Not the holdings themselves: the writer would end them, and with them itself, when it drops
    // this.
    crypto::Change note = [wanted, now = self->clock_.wall(), &audit = self->holdings_->audit()](
                              crypto::Connection& connection) -> core::Status {
      GW_CHECK(trail_sent(connection, audit, wanted.uplink, wanted.verdicts, now));
      return record_verdicts(connection, wanted.uplink, wanted.verdicts, core::to_instant(now));
    };
    const core::Status status = co_await write_async(self->holdings_->database(), std::move(note));
    if (status.ok()) {
      self->step(event::Recorded{wanted.uplink, {}});
      co_return;
    }
    core::log_error("sync",
                    core::cat("uplink ", wanted.uplink, ": what became of ", wanted.verdicts.size(),
                              " items is written again soon: ", status.error().message()));
    self->step(event::Recorded{wanted.uplink, std::move(wanted.verdicts)});
  }

  asio::any_io_executor loop_;
  std::shared_ptr<Holdings> holdings_;
  const core::Clock& clock_;
  std::unique_ptr<Alarm> alarm_;
  Engine engine_;
  std::map<std::string, std::unique_ptr<Uplink>> uplinks_;
  std::map<std::string, std::string> last_success_;
  std::map<std::string, UplinkHours> hours_;  // of those that have any
  std::map<std::string, std::optional<bool>> was_open_;
  std::optional<core::Monotonic> wake_at_;  // what the alarm is set to
  std::atomic<bool> wake_posted_ = false;
  std::atomic<std::uint64_t> turns_ = 0;
  bool has_begun_ = false;
  bool stopped_ = false;
};

}  // namespace

std::shared_ptr<SyncService> SyncService::create(asio::any_io_executor loop,
                                                 std::shared_ptr<Holdings> holdings,
                                                 std::vector<std::unique_ptr<Uplink>> uplinks,
                                                 const core::Clock& clock) {
  ServiceSeams machine{std::make_unique<SteadyAlarm>(loop), random_seed()};
  return create(loop, std::move(holdings), std::move(uplinks), clock, std::move(machine));
}

std::shared_ptr<SyncService> SyncService::create(asio::any_io_executor loop,
                                                 std::shared_ptr<Holdings> holdings,
                                                 std::vector<std::unique_ptr<Uplink>> uplinks,
                                                 const core::Clock& clock, ServiceSeams seams) {
  auto service = std::make_shared<Service>(loop, std::move(holdings), std::move(uplinks), clock,
                                           std::move(seams));
  service->listen_for_hints();
  return service;
}

}  // namespace gateway::sync
