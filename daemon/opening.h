// LOCKED, ready or failed: whether the holdings are open, and every way to open them. At start, in
// this order: the machine's credential, the Tang servers of the keyring's slots, the passphrase
// source; what fails falls through to the next. Later: the Tang servers every quarter minute, the
// passphrase source whenever it changes, an operator at any time, and the same again after a
// failure that may pass (no disk, I/O).
//
// Everything here is called on the loop thread. Deriving the key (Argon2id, 32 MiB), migrations and
// the sweep run on a short-lived thread of their own, one attempt at a time; servers are asked
// meanwhile.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/files.h"
#include "daemon/passphrase_source.h"
#include "daemon/state_lock.h"
#include "daemon/tang_client.h"
#include "sync/holdings.h"

namespace gateway::daemon {

enum class OpeningState { locked, ready, failed };
std::string_view to_string(OpeningState state);

struct OpeningReport {
  OpeningState state = OpeningState::locked;
  std::string reason;          // for people: why not ready and what to do; empty when ready
  core::Wall since;            // of the state
  std::string key_protection;  // Keyring::protection(); empty until ready
  bool set_up = false;         // a keyring exists
};

struct OpeningOptions {
  sync::HoldingsOptions holdings;
  core::Milliseconds look_every{2'000};  // at the passphrase file
  core::Milliseconds retry_failed_every{30'000};
  std::string credentials_folder;  // $CREDENTIALS_DIRECTORY; empty: none
  core::Milliseconds ask_tang_every{15'000};
};

/// An attempt that opened nothing: the audit trail hears of it once there is one.
struct Refusal {
  core::Wall at;
  std::string by;
  std::string kind;  // of what was tried
};

class Opening {
 public:
  /// `by`: where the opener came from, for the audit trail: "credential", "tang", "passphrase file"
  /// or "operator".
  using Opened = std::function<void(std::shared_ptr<sync::Holdings>, const std::string& by)>;
  using Answer = std::function<void(core::Status)>;

  /// `opened` runs once, on the loop, before the state becomes ready; `changed` on the loop after
  /// every change of state or reason.
  Opening(boost::asio::any_io_executor loop, core::Files& files, const core::Clock& clock,
          PassphraseSource source, OpeningOptions options, Opened opened,
          std::function<void()> changed);
  /// Waits for a running attempt.
  ~Opening();
  Opening(const Opening&) = delete;
  Opening& operator=(const Opening&) = delete;

  void start();
  /// No further attempt; waits for a running one and drops its outcome.
  void stop();
  /// From outside, by the control socket: an operator, or the unit that unseals a credential. On a
  /// box that was never set up a passphrase becomes the first key slot. `answer` runs on the loop:
  /// ok when ready, Code::locked when it opens no slot, Code::busy while another attempt runs, else
  /// why the holdings did not open.
  void unlock(crypto::SlotOpener opener, Answer answer);

  const OpeningReport& report() const { return report_; }
  /// The newest 64 at most; they are given away.
  std::vector<Refusal> take_refusals() { return std::exchange(refusals_, {}); }

 private:
  struct Outcome;
  struct Candidate {
    crypto::SlotOpener opener;
    std::string by;
  };
  void look();
  void wait_to_look();
  void try_credential();
  bool ask_tang();
  void try_passphrase();
  void attempt(Candidate candidate, Answer answer);
  void finish(Outcome outcome);
  void refused(const Candidate& candidate, const core::Error& error);
  void note(const std::string& source, std::string what);
  void set_state(OpeningState state, std::string reason);

  boost::asio::any_io_executor loop_;
  core::Files& files_;
  const core::Clock& clock_;
  PassphraseSource source_;
  OpeningOptions options_;
  Opened opened_;
  std::function<void()> changed_;
  boost::asio::steady_timer timer_;
  OpeningReport report_;
  std::string looked_at_;  // fingerprint of the source when it was last tried
  bool looked_ = false;
  core::Monotonic tried_;
  bool looked_for_credential_ = false;
  std::unique_ptr<TangRound> tang_round_;  // while servers are asked
  std::optional<core::Monotonic> asked_tang_;
  std::deque<Candidate> candidates_;          // not tried yet; at most one per slot
  std::map<std::string, std::string> notes_;  // source -> why it opened nothing
  std::vector<Refusal> refusals_;
  // Kept only while a failure that may pass stands between the right opener and the holdings.
  std::optional<Candidate> pending_;
  std::unique_ptr<StateLock> lock_;
  std::thread worker_;
  bool running_ = false;
  bool stopped_ = false;
  Answer answer_;
  std::shared_ptr<bool> alive_;
};

}  // namespace gateway::daemon
