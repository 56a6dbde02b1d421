// LOCKED, ready or failed: whether the holdings are open, and every way to open them: from the
// passphrase source at start and whenever it changes, from an operator, and again after a failure
// that may pass (no disk, I/O).
//
// Everything here is called on the loop thread. Deriving the key (Argon2id, 64 MiB), migrations and
// the sweep run on a short-lived thread of their own, one attempt at a time.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/clock.h"
#include "core/files.h"
#include "daemon/passphrase_source.h"
#include "daemon/state_lock.h"
#include "sync/holdings.h"

namespace gateway::daemon {

enum class OpeningState { locked, ready, failed };
std::string_view to_string(OpeningState state);

struct OpeningReport {
  OpeningState state = OpeningState::locked;
  std::string reason;          // for people: why not ready and what to do; empty when ready
  core::Wall since;            // of the state
  std::string key_protection;  // "passphrase"; empty until ready
  bool set_up = false;         // a keyring exists
};

struct OpeningOptions {
  sync::HoldingsOptions holdings;
  core::Milliseconds look_every{2'000};  // at the passphrase file
  core::Milliseconds retry_failed_every{30'000};
};

class Opening {
 public:
  /// `by`: whose passphrase it was, for the audit trail: "operator" or "passphrase file".
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
  /// An operator's passphrase. On a box that was never set up it becomes the first key slot.
  /// `answer` runs on the loop: ok when ready, Code::locked when it opens no slot, Code::busy while
  /// another attempt runs, else why the holdings did not open.
  void unlock(crypto::Passphrase passphrase, Answer answer);

  const OpeningReport& report() const { return report_; }

 private:
  struct Outcome;
  void look();
  void wait_to_look();
  void attempt(crypto::Passphrase passphrase, std::string by, Answer answer);
  void finish(Outcome outcome);
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
  // Kept only while a failure that may pass stands between the right passphrase and the holdings.
  std::optional<crypto::Passphrase> pending_;
  std::string by_;  // of the running attempt, or of pending_
  std::unique_ptr<StateLock> lock_;
  std::thread worker_;
  bool running_ = false;
  bool stopped_ = false;
  Answer answer_;
  std::shared_ptr<bool> alive_;
};

}  // namespace gateway::daemon
