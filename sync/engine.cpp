#include "sync/engine.h"

#include <algorithm>
#include <utility>

namespace gateway::sync {
namespace {

// So many failures with nothing delivered in between say that the peer is unwell, whatever it
// answers.
constexpr unsigned kFailedMeansLink = 5;

}  // namespace

Engine::Engine(std::map<std::string, UplinkLimits> uplinks, EngineOptions options,
               std::uint64_t seed)
    : options_(options), random_(seed) {
  for (auto& [name, limits] : uplinks) lines_[name].limits = limits;
}

std::vector<Effect> Engine::step(core::Monotonic now, const Event& event) {
  std::vector<Effect> effects;
  if (std::holds_alternative<event::Started>(event) ||
      std::holds_alternative<event::Queued>(event)) {
    for (auto& [name, line] : lines_) line.outbox_may_have_rows = true;
  } else if (const auto* claimed = std::get_if<event::Claimed>(&event)) {
    on(now, *claimed, effects);
  } else if (const auto* delivered = std::get_if<event::Delivered>(&event)) {
    on(now, *delivered, effects);
  } else if (const auto* recorded = std::get_if<event::Recorded>(&event)) {
    on(now, *recorded, effects);
  } else if (const auto* pulled = std::get_if<event::Pulled>(&event)) {
    on(now, *pulled, effects);
  } else if (std::holds_alternative<event::SyncWanted>(event)) {
    try_everything_now();
  } else if (const auto* hint = std::get_if<event::PullHinted>(&event)) {
    pull_for_hint(lines_.at(hint->uplink), now);
  } else if (const auto* set = std::get_if<event::PauseSet>(&event)) {
    lines_.at(set->uplink).standing.paused = set->paused;
  } else if (const auto* began = std::get_if<event::HoursBegan>(&event)) {
    Line& line = lines_.at(began->uplink);
    line.standing.open = began->open;
    line.outbox_may_have_rows = true;
  }

  std::optional<core::Monotonic> wake;
  for (auto& [name, line] : lines_) {
    advance(name, line, now, effects);
    const auto next = next_wake(line, now);
    if (next && (!wake || *next < *wake)) wake = next;
  }
  if (wake) effects.emplace_back(effect::WakeAt{*wake});
  return effects;
}

void Engine::on(core::Monotonic now, const event::Claimed& claimed, std::vector<Effect>& effects) {
  Line& line = lines_.at(claimed.uplink);
  line.claiming = false;
  line.settles_at = claimed.settles_at;
  if (!claimed.error.empty()) {
    line.outbox_may_have_rows = true;
    link_failed(line, now, claimed.error, std::nullopt);
    return;
  }
  if (claimed.rows.empty()) return;
  line.outbox_may_have_rows = true;
  for (const OutboxRow& row : claimed.rows) line.sending[row.number] = row;
  ++line.standing.in_flight;
  effects.emplace_back(effect::DeliverRows{claimed.uplink, claimed.rows});
}

void Engine::on(core::Monotonic now, const event::Delivered& delivered,
                std::vector<Effect>& effects) {
  Line& line = lines_.at(delivered.uplink);
  --line.standing.in_flight;
  if (delivered.window > 0) line.limits.deliveries_in_flight = delivered.window;
  effect::RecordVerdicts record{delivered.uplink, {}};
  const RowOutcome* link_trouble = nullptr;
  const RowOutcome* failed = nullptr;
  bool was_answered = false;
  bool got_through = false;
  for (const RowOutcome& outcome : delivered.outcomes) {
    if (outcome.result != Delivery::delivered) continue;
    got_through = true;
    ++line.deliveries;
  }
  if (got_through) line.failed_in_a_row = 0;
  for (const RowOutcome& outcome : delivered.outcomes) {
    record.verdicts.push_back(judge(line, now, outcome));
    line.sending.erase(outcome.number);
    if (outcome.result == Delivery::unreached || outcome.result == Delivery::lost) {
      link_trouble = &outcome;
    } else if (outcome.result == Delivery::failed) {
      failed = &outcome;
      if (!got_through) ++line.failed_in_a_row;
    } else if (outcome.result != Delivery::needless) {
      was_answered = true;
    }
  }
  if (link_trouble) {
    link_failed(line, now, link_trouble->reason, link_trouble->retry_after);
  } else if (failed && line.failed_in_a_row >= kFailedMeansLink) {
    link_failed(line, now, failed->reason, failed->retry_after);
  } else if (was_answered) {
    // What failed while the peer took nothing may well pass now.
    if (got_through && line.failures > 0) line.held.clear();
    link_worked(line);
  }
  if (failed) line.standing.last_error = failed->reason;
  effects.emplace_back(std::move(record));
}

void Engine::on(core::Monotonic now, const event::Recorded& recorded, std::vector<Effect>&) {
  Line& line = lines_.at(recorded.uplink);
  if (recorded.unwritten.empty()) {
    line.writes_failed = 0;
    // What waited for these rows may be due now.
    for (auto& [name, other] : lines_) other.outbox_may_have_rows = true;
    return;
  }
  line.unwritten.insert(line.unwritten.end(), recorded.unwritten.begin(), recorded.unwritten.end());
  ++line.writes_failed;
  line.next_write = now + retry_delay(options_.link_pace, line.writes_failed, random_());
}

Verdict Engine::judge(Line& line, core::Monotonic now, const RowOutcome& outcome) {
  Verdict verdict;
  verdict.number = outcome.number;
  verdict.reason = outcome.peers_words.empty() ? outcome.reason : outcome.peers_words;
  switch (outcome.result) {
    case Delivery::delivered:
      verdict.what = Verdict::What::done;
      verdict.remote_version = outcome.remote_version;
      verdict.local_version = outcome.local_version;
      verdict.found_there = outcome.found_there;
      line.held.erase(outcome.number);
      line.failing.erase(outcome.number);
      break;
    case Delivery::needless:
      verdict.what = Verdict::What::drop;
      line.held.erase(outcome.number);
      line.failing.erase(outcome.number);
      break;
    case Delivery::refused:
      verdict.what = Verdict::What::park;
      verdict.counts_as_attempt = true;
      line.held.erase(outcome.number);
      line.failing.erase(outcome.number);
      break;
    case Delivery::failed:
      judge_failed(line, now, outcome, verdict);
      break;
    case Delivery::lost:
      verdict.perhaps_sent = true;
      break;
    case Delivery::begun:
      if (outcome.retry_after) line.held[outcome.number] = now + *outcome.retry_after;
      [[fallthrough]];
    case Delivery::unreached:
      // Nothing whole went out now; an earlier attempt may still have arrived.
      verdict.perhaps_sent = line.sending[outcome.number].perhaps_sent;
      break;
  }
  return verdict;
}

void Engine::judge_failed(Line& line, core::Monotonic now, const RowOutcome& outcome,
                          Verdict& verdict) {
  Failing& failing = line.failing[outcome.number];
  // Only where another got through since it was tried last, it is the row that fails.
  verdict.counts_as_attempt = line.deliveries > failing.deliveries;
  verdict.perhaps_sent = true;
  const int attempts = line.sending[outcome.number].attempts + (verdict.counts_as_attempt ? 1 : 0);
  if (attempts >= options_.attempts_max && verdict.counts_as_attempt) {
    verdict.what = Verdict::What::park;
    line.held.erase(outcome.number);
    line.failing.erase(outcome.number);
    return;
  }
  ++failing.failures;
  failing.deliveries = line.deliveries;
  const auto own = retry_delay(options_.row_pace, failing.failures, random_());
  line.held[outcome.number] = now + std::max(own, outcome.retry_after.value_or(own));
}

void Engine::on(core::Monotonic now, const event::Pulled& pulled, std::vector<Effect>&) {
  Line& line = lines_.at(pulled.uplink);
  line.pulling = false;
  line.next_pull = now + line.limits.pull_every.value_or(core::Milliseconds(0));
  line.next_hinted = now + options_.hint_gap;
  // It may have passed by what the hint was about.
  if (std::exchange(line.hinted, false)) pull_for_hint(line, now);
  // It may have hurried or queued something, for another uplink too.
  if (pulled.report.applied > 0)
    for (auto& [name, other] : lines_) other.outbox_may_have_rows = true;
  if (pulled.report.idle) return;
  if (pulled.report.reached) {
    // A peer that answers questions and takes nothing is not up.
    if (line.failed_in_a_row < kFailedMeansLink) link_worked(line);
    if (!pulled.report.refused.empty()) line.standing.last_error = pulled.report.refused;
  } else {
    link_failed(line, now, pulled.report.error, std::nullopt);
    line.next_pull = line.next_try;
  }
}

void Engine::pull_for_hint(Line& line, core::Monotonic now) {
  if (line.pulling) {
    line.hinted = true;
  } else {
    line.next_pull = std::min(line.next_pull, std::max(now, line.next_hinted));
  }
}

void Engine::link_failed(Line& line, core::Monotonic now, const std::string& reason,
                         std::optional<core::Milliseconds> wish) {
  line.standing.state = UplinkStanding::State::down;
  line.standing.last_error = reason;
  // Several deliveries in flight fail together when a link goes down: that is one failure.
  if (now < line.next_try) return;
  ++line.failures;
  const auto own = retry_delay(options_.link_pace, line.failures, random_());
  line.next_try = now + std::max(own, wish.value_or(own));
}

void Engine::link_worked(Line& line) {
  line.standing.state = UplinkStanding::State::up;
  line.standing.last_error.clear();
  line.failures = 0;
  line.next_try = {};
}

void Engine::try_everything_now() {
  for (auto& [name, line] : lines_) {
    line.next_try = {};
    line.next_pull = {};
    line.standing.open = true;
    line.held.clear();
    line.outbox_may_have_rows = true;
  }
}

void Engine::advance(const std::string& name, Line& line, core::Monotonic now,
                     std::vector<Effect>& effects) {
  if (!line.unwritten.empty() && now >= line.next_write) {
    effects.emplace_back(effect::RecordVerdicts{name, std::exchange(line.unwritten, {})});
  }
  if (line.standing.paused || now < line.next_try) return;
  if (line.standing.open && line.limits.pull_every && !line.pulling && now >= line.next_pull) {
    line.pulling = true;
    effects.emplace_back(effect::StartPull{name});
  }
  for (auto held = line.held.begin(); held != line.held.end();) {
    if (held->second <= now) {
      held = line.held.erase(held);
      line.outbox_may_have_rows = true;
    } else {
      ++held;
    }
  }
  if (line.settles_at && *line.settles_at <= now) {
    line.settles_at.reset();
    line.outbox_may_have_rows = true;
  }
  if (line.writes_failed == 0) claim(name, line, effects);
}

void Engine::claim(const std::string& name, Line& line, std::vector<Effect>& effects) {
  // A link that was down is tried with one row; the queue behind it must not pay for a guess.
  const bool probing = line.failures > 0;
  const std::size_t window = probing ? 1 : line.limits.deliveries_in_flight;
  if (line.claiming || !line.outbox_may_have_rows || line.standing.in_flight >= window) return;
  line.claiming = true;
  // What is queued from here on may come too late for this claim.
  line.outbox_may_have_rows = false;
  effect::ClaimRows wanted{name,
                           probing ? 1 : line.limits.rows_per_delivery,
                           line.limits.bytes_per_delivery,
                           {},
                           !line.standing.open,
                           line.limits.in_any_order};
  for (const auto& [number, until] : line.held) wanted.held.insert(number);
  effects.emplace_back(std::move(wanted));
}

std::optional<core::Monotonic> Engine::next_wake(const Line& line, core::Monotonic now) const {
  std::optional<core::Monotonic> wake;
  const auto consider = [&](core::Monotonic time) {
    if (time > now && (!wake || time < *wake)) wake = time;
  };
  if (!line.unwritten.empty()) consider(line.next_write);
  if (line.standing.paused) return wake;
  if (now < line.next_try) {
    consider(line.next_try);
    return wake;
  }
  if (line.standing.open && line.limits.pull_every && !line.pulling) consider(line.next_pull);
  if (line.settles_at) consider(*line.settles_at);
  for (const auto& [number, until] : line.held) consider(until);
  return wake;
}

}  // namespace gateway::sync
