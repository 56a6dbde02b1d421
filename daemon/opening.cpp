#include "daemon/opening.h"

#include <malloc.h>

#include <boost/asio/post.hpp>

#include "core/log.h"
#include "core/text.h"

namespace gateway::daemon {

using core::cat;
using core::Code;
using core::Error;

struct Opening::Outcome {
  core::Result<std::shared_ptr<sync::Holdings>> holdings;
  bool set_up = false;
  std::unique_ptr<StateLock> lock;
  crypto::Passphrase passphrase;
};

namespace {

// A lost keyring next to data must never be replaced by a fresh one: what is held would look gone.
core::Result<bool> holds_data(core::Files& files, const std::string& folder) {
  GW_TRY(const auto names, files.list(folder));
  for (const std::string& name : names) {
    if (name == "objects" || name.ends_with(".db")) return true;
  }
  return false;
}

core::Result<std::unique_ptr<crypto::Keyring>> open_keyring(core::Files& files,
                                                            const std::string& folder,
                                                            const crypto::Passphrase& passphrase,
                                                            const core::Clock& clock,
                                                            bool& set_up) {
  GW_TRY(set_up, crypto::Keyring::exists(files, folder));
  if (set_up) return crypto::Keyring::open(files, folder, passphrase, clock);
  GW_TRY(const bool data, holds_data(files, folder));
  if (data) {
    return Error(Code::corrupt, cat(folder,
                                    " holds data but its keyring.json is missing; restore "
                                    "keyring.json from a backup"));
  }
  auto keyring = crypto::Keyring::create(files, folder, passphrase, clock);
  if (keyring.ok()) {
    set_up = true;
    core::log_info("daemon", cat("first start: made the keyring in ", folder));
  }
  return keyring;
}

core::Result<std::shared_ptr<sync::Holdings>> open_holdings(
    core::Files& files, const core::Clock& clock, const sync::HoldingsOptions& options,
    const crypto::Passphrase& passphrase, std::unique_ptr<StateLock>& lock, bool& set_up) {
  if (!lock) {
    GW_TRY(lock, StateLock::take(options.state_folder));
  }
  GW_TRY(auto keyring, open_keyring(files, options.state_folder, passphrase, clock, set_up));
  return sync::Holdings::open(files, std::move(keyring), clock, options);
}

bool may_pass(Code code) {
  return code == Code::no_space || code == Code::io || code == Code::exists || code == Code::busy ||
         code == Code::not_found;  // the database: a person may bring it back, or have it rebuilt
}

}  // namespace

std::string_view to_string(OpeningState state) {
  switch (state) {
    case OpeningState::locked:
      return "locked";
    case OpeningState::ready:
      return "ready";
    case OpeningState::failed:
      return "failed";
  }
  return "";
}

Opening::Opening(boost::asio::any_io_executor loop, core::Files& files, const core::Clock& clock,
                 PassphraseSource source, OpeningOptions options, Opened opened,
                 std::function<void()> changed)
    : loop_(std::move(loop)),
      files_(files),
      clock_(clock),
      source_(std::move(source)),
      options_(std::move(options)),
      opened_(std::move(opened)),
      changed_(std::move(changed)),
      timer_(loop_),
      alive_(std::make_shared<bool>(true)) {
  report_.since = clock_.wall();
  report_.reason = "starting";
}

Opening::~Opening() { stop(); }

void Opening::start() {
  const auto set_up = crypto::Keyring::exists(files_, options_.holdings.state_folder);
  report_.set_up = set_up.ok() && *set_up;
  look();
  wait_to_look();
}

void Opening::stop() {
  stopped_ = true;
  *alive_ = false;
  timer_.cancel();
  if (worker_.joinable()) worker_.join();
  running_ = false;
  pending_.reset();
  answer_ = nullptr;
}

void Opening::wait_to_look() {
  timer_.expires_after(options_.look_every);
  timer_.async_wait([this, alive = alive_](const boost::system::error_code& error) {
    if (error || !*alive) return;
    look();
    if (!stopped_ && report_.state != OpeningState::ready) wait_to_look();
  });
}

void Opening::look() {
  if (stopped_ || running_ || report_.state == OpeningState::ready) return;
  const bool due = clock_.monotonic() - tried_ >= options_.retry_failed_every;
  if (pending_ && due) {
    attempt(crypto::Passphrase{pending_->text.clone()}, by_, nullptr);
    return;
  }
  std::string fingerprint = source_.fingerprint();
  if (looked_ && fingerprint == looked_at_) return;
  looked_ = true;
  looked_at_ = std::move(fingerprint);
  auto passphrase = source_.read();
  if (!passphrase.ok()) {
    // A failure already known says more than a missing file.
    if (report_.state != OpeningState::failed) {
      set_state(OpeningState::locked, passphrase.error().message());
    }
    return;
  }
  attempt(std::move(*passphrase), "passphrase file", nullptr);
}

void Opening::unlock(crypto::Passphrase passphrase, Answer answer) {
  if (report_.state == OpeningState::ready) return answer({});
  if (stopped_) return answer(Error(Code::cancelled, "the gateway is stopping"));
  if (running_) return answer(Error(Code::busy, "another attempt to unlock is running; try again"));
  attempt(std::move(passphrase), "operator", std::move(answer));
}

void Opening::attempt(crypto::Passphrase passphrase, std::string by, Answer answer) {
  if (worker_.joinable()) worker_.join();
  running_ = true;
  by_ = std::move(by);
  answer_ = std::move(answer);
  tried_ = clock_.monotonic();
  worker_ = std::thread([this, alive = alive_, lock = std::move(lock_),
                         passphrase = std::move(passphrase)]() mutable {
    bool set_up = false;
    auto holdings = open_holdings(files_, clock_, options_.holdings, passphrase, lock, set_up);
    auto outcome = std::make_shared<Outcome>(
        Outcome{std::move(holdings), set_up, std::move(lock), std::move(passphrase)});
    boost::asio::post(loop_, [this, alive, outcome] {
      if (*alive) finish(std::move(*outcome));
    });
  });
}

void Opening::finish(Outcome outcome) {
  worker_.join();
  // The derivation's 64 MiB and what migrations left behind go back to the system.
  malloc_trim(0);
  running_ = false;
  lock_ = std::move(outcome.lock);
  report_.set_up = report_.set_up || outcome.set_up;
  core::Status answer;
  if (outcome.holdings.ok()) {
    pending_.reset();
    report_.key_protection = (*outcome.holdings)->keyring().protection();
    opened_(std::move(*outcome.holdings), by_);
    set_state(OpeningState::ready, "");
  } else {
    const Error& error = outcome.holdings.error();
    answer = error;
    if (error.code() == Code::locked) {
      pending_.reset();
      // An operator's slip does not undo a known failure.
      if (report_.state != OpeningState::failed) {
        set_state(OpeningState::locked, error.message());
      }
    } else {
      if (may_pass(error.code())) pending_ = std::move(outcome.passphrase);
      set_state(OpeningState::failed, error.message());
    }
  }
  if (answer_) std::exchange(answer_, nullptr)(std::move(answer));
}

void Opening::set_state(OpeningState state, std::string reason) {
  const bool first = report_.reason == "starting";
  if (!first && state == report_.state && reason == report_.reason) return;
  if (state != report_.state) report_.since = clock_.wall();
  report_.state = state;
  report_.reason = std::move(reason);
  if (state == OpeningState::ready) {
    core::log_info("daemon", "unlocked: ready");
  } else if (state == OpeningState::locked) {
    core::log_warn("daemon", cat("LOCKED, nothing can be stored or sent: ", report_.reason));
  } else {
    core::log_error("daemon", cat("the stored data cannot be opened: ", report_.reason));
  }
  changed_();
}

}  // namespace gateway::daemon
