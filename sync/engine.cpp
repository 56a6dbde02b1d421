#include "sync/engine.h"

#include <algorithm>

namespace gateway::sync {
namespace {

// So many different rows failing one after another say that the peer is unwell, whatever it
// answers.
constexpr unsigned kRowsFailedMeansLink = 5;

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
  } else if (const auto* pulled = std::get_if<event::Pulled>(&event)) {
    on(now, *pulled, effects);
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
  effect::RecordVerdicts record{delivered.uplink, {}};
  const RowOutcome* link_trouble = nullptr;
  bool answered = false;
  for (const RowOutcome& outcome : delivered.outcomes) {
    record.verdicts.push_back(judge(line, now, outcome));
    line.sending.erase(outcome.number);
    if (outcome.result == Delivery::unreached || outcome.result == Delivery::lost) {
      link_trouble = &outcome;
    } else {
      answered = true;
    }
  }
  if (line.rows_failed_in_a_row >= kRowsFailedMeansLink) {
    line.rows_failed_in_a_row = 0;
    link_failed(line, now, record.verdicts.back().reason, std::nullopt);
  } else if (link_trouble) {
    link_failed(line, now, link_trouble->reason, link_trouble->retry_after);
  } else if (answered) {
    link_worked(line);
  }
  effects.emplace_back(std::move(record));
}

Verdict Engine::judge(Line& line, core::Monotonic now, const RowOutcome& outcome) {
  Verdict verdict;
  verdict.number = outcome.number;
  verdict.reason = outcome.reason;
  switch (outcome.result) {
    case Delivery::delivered:
      verdict.what = Verdict::What::done;
      verdict.remote_version = outcome.remote_version;
      verdict.local_version = outcome.local_version;
      verdict.found_there = outcome.found_there;
      line.held.erase(outcome.number);
      line.rows_failed_in_a_row = 0;
      break;
    case Delivery::refused:
      verdict.what = Verdict::What::park;
      verdict.counts_as_attempt = true;
      line.held.erase(outcome.number);
      break;
    case Delivery::failed: {
      const int attempts = line.sending[outcome.number].attempts + 1;
      verdict.counts_as_attempt = true;
      verdict.perhaps_sent = true;
      ++line.rows_failed_in_a_row;
      if (attempts >= options_.attempts_max) {
        verdict.what = Verdict::What::park;
        line.held.erase(outcome.number);
      } else {
        const auto own = retry_delay(options_.row_pace, static_cast<unsigned>(attempts), random_());
        line.held[outcome.number] = now + std::max(own, outcome.retry_after.value_or(own));
      }
      break;
    }
    case Delivery::lost:
      verdict.perhaps_sent = true;
      break;
    case Delivery::unreached:
      // Nothing went out now; an earlier attempt may still have arrived.
      verdict.perhaps_sent = line.sending[outcome.number].perhaps_sent;
      break;
  }
  return verdict;
}

void Engine::on(core::Monotonic now, const event::Pulled& pulled, std::vector<Effect>&) {
  Line& line = lines_.at(pulled.uplink);
  line.pulling = false;
  line.next_pull = now + line.limits.pull_every.value_or(core::Milliseconds(0));
  if (pulled.report.reached) {
    link_worked(line);
  } else {
    link_failed(line, now, pulled.report.error, std::nullopt);
    line.next_pull = line.next_try;
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

void Engine::advance(const std::string& name, Line& line, core::Monotonic now,
                     std::vector<Effect>& effects) {
  if (now < line.next_try) return;
  if (line.limits.pull_every && !line.pulling && now >= line.next_pull) {
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
  // A link that was down is tried with one row; the queue behind it must not pay for a guess.
  const bool probing = line.failures > 0;
  const std::size_t window = probing ? 1 : line.limits.deliveries_in_flight;
  if (line.claiming || !line.outbox_may_have_rows || line.standing.in_flight >= window) return;
  line.claiming = true;
  // What is queued from here on may come too late for this claim.
  line.outbox_may_have_rows = false;
  effect::ClaimRows claim{
      name, probing ? 1 : line.limits.rows_per_delivery, line.limits.bytes_per_delivery, {}};
  for (const auto& [number, until] : line.held) claim.held.insert(number);
  effects.emplace_back(std::move(claim));
}

std::optional<core::Monotonic> Engine::next_wake(const Line& line, core::Monotonic now) const {
  std::optional<core::Monotonic> wake;
  const auto consider = [&](core::Monotonic time) {
    if (time > now && (!wake || time < *wake)) wake = time;
  };
  if (now < line.next_try) {
    consider(line.next_try);
    return wake;
  }
  if (line.limits.pull_every && !line.pulling) consider(line.next_pull);
  if (line.settles_at) consider(*line.settles_at);
  for (const auto& [number, until] : line.held) consider(until);
  return wake;
}

}  // namespace gateway::sync
