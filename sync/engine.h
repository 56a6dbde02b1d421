// The sync engine: decides what to claim, send, record, hold back, park and pull, and when. Pure
// and sans-IO: step(now, event) -> effects, so that the real engine runs in virtual time under
// tests/sim and a seed replays to the same trace. The executor (service.cpp) carries effects out.
//
// An uplink that cannot be reached waits with jittered back-off and is probed by one row;
// everything queued keeps its place. A row the peer refuses is parked with the reason and holds
// back only itself and what needs it. A row that fails by itself waits by itself, and is parked
// after its last attempt; while the peer takes nothing from anybody it is the peer that fails, and
// no row's attempts count. Whatever may have been sent is marked so before the attempt and read
// back before the next one. A verdict that could not be written is kept and written again; until
// then nothing more is claimed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "core/clock.h"
#include "sync/outbox.h"
#include "sync/retry.h"
#include "sync/uplink.h"

namespace gateway::sync {

namespace event {
struct Started {};
struct Queued {};      // something may be new in the outbox
struct Ticked {};      // the time asked for has come
struct SyncWanted {};  // by a person: everything is tried now, whatever waits for its time or for
                       // the hours of an uplink, which then stays open until they have been
struct PullHinted {    // a pull would bring something, its peer says
  std::string uplink;
};
struct PauseSet {  // by a person: nothing new is begun until it is taken back
  std::string uplink;
  bool paused = false;
};
struct HoursBegan {  // or ended: what is under way ends, and only what is stat is begun
  std::string uplink;
  bool open = true;
};
struct Claimed {
  std::string uplink;
  std::vector<OutboxRow> rows;
  std::optional<core::Monotonic>
      settles_at;     // a row was passed over because its subject still changes
  std::string error;  // the claim itself failed (database); rows is empty
};
struct Delivered {
  std::string uplink;
  std::vector<RowOutcome> outcomes;
  std::size_t window = 0;  // deliveries at once from here on; 0: as before
};
struct Recorded {
  std::string uplink;
  std::vector<Verdict> unwritten;  // those whose writing failed
};
struct Pulled {
  std::string uplink;
  PullReport report;
};
}  // namespace event
using Event = std::variant<event::Started, event::Queued, event::Ticked, event::Claimed,
                           event::Delivered, event::Recorded, event::Pulled, event::SyncWanted,
                           event::PauseSet, event::HoursBegan, event::PullHinted>;

namespace effect {
struct ClaimRows {
  std::string uplink;
  std::size_t rows_max;
  std::uint64_t bytes_max;
  std::set<std::int64_t> held;
  bool only_stat = false;
  bool in_any_order = false;  // as UplinkLimits
};
struct DeliverRows {
  std::string uplink;
  std::vector<OutboxRow> rows;
};
struct RecordVerdicts {
  std::string uplink;
  std::vector<Verdict> verdicts;
};
struct StartPull {
  std::string uplink;
};
struct WakeAt {
  core::Monotonic time;
};
}  // namespace effect
using Effect = std::variant<effect::ClaimRows, effect::DeliverRows, effect::RecordVerdicts,
                            effect::StartPull, effect::WakeAt>;

/// How an uplink stands, for status and health.
struct UplinkStanding {
  enum class State { unknown, up, down } state = State::unknown;
  std::string last_error;  // of the newest failure; empty once all that was tried worked again
  bool paused = false;     // what is under way ends, nothing new begins
  bool open = true;        // within its hours
  std::size_t in_flight = 0;
};

struct EngineOptions {
  RetryPace link_pace;
  RetryPace row_pace{core::Milliseconds(5'000), core::Milliseconds(600'000)};
  // From the end of a pull to the next one, however often its peer says that it would bring
  // something.
  core::Milliseconds hint_gap{5'000};
  // Of one row that fails while others get through; then it is parked.
  int attempts_max = 10;
};

class Engine {
 public:
  Engine(std::map<std::string, UplinkLimits> uplinks, EngineOptions options, std::uint64_t seed);

  std::vector<Effect> step(core::Monotonic now, const Event& event);
  const UplinkStanding& standing(const std::string& uplink) const {
    return lines_.at(uplink).standing;
  }

 private:
  /// A row that failed, since the last start.
  struct Failing {
    unsigned failures = 0;
    std::uint64_t deliveries = 0;  // of the uplink, when it failed last
  };
  struct Line {
    UplinkLimits limits;
    UplinkStanding standing;
    unsigned failures = 0;         // of the link, in a row
    unsigned failed_in_a_row = 0;  // attempts of rows: many mean the peer, not the rows
    std::uint64_t deliveries = 0;  // confirmed by the peer since the start
    core::Monotonic next_try{};    // nothing is tried before
    core::Monotonic next_pull{};
    core::Monotonic next_hinted{};  // no pull for a hint's sake before
    bool hinted = false;            // while it was pulling
    bool claiming = false;
    bool pulling = false;
    bool outbox_may_have_rows = true;
    std::optional<core::Monotonic> settles_at;
    std::map<std::int64_t, core::Monotonic> held;  // rows waiting by themselves
    std::map<std::int64_t, Failing> failing;
    std::map<std::int64_t, OutboxRow> sending;  // rows in flight
    std::vector<Verdict> unwritten;             // at most those of the deliveries in flight
    unsigned writes_failed = 0;                 // in a row
    core::Monotonic next_write{};
  };

  void on(core::Monotonic now, const event::Claimed& claimed, std::vector<Effect>& effects);
  void on(core::Monotonic now, const event::Delivered& delivered, std::vector<Effect>& effects);
  void on(core::Monotonic now, const event::Recorded& recorded, std::vector<Effect>& effects);
  void on(core::Monotonic now, const event::Pulled& pulled, std::vector<Effect>& effects);
  Verdict judge(Line& line, core::Monotonic now, const RowOutcome& outcome);
  void judge_failed(Line& line, core::Monotonic now, const RowOutcome& outcome, Verdict& verdict);
  void pull_for_hint(Line& line, core::Monotonic now);
  void link_failed(Line& line, core::Monotonic now, const std::string& reason,
                   std::optional<core::Milliseconds> wish);
  void link_worked(Line& line);
  void try_everything_now();
  void advance(const std::string& name, Line& line, core::Monotonic now,
               std::vector<Effect>& effects);
  void claim(const std::string& name, Line& line, std::vector<Effect>& effects);
  std::optional<core::Monotonic> next_wake(const Line& line, core::Monotonic now) const;

  EngineOptions options_;
  std::mt19937_64 random_;
  std::map<std::string, Line> lines_;
};

}  // namespace gateway::sync
