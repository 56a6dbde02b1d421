#include "daemon/opening.h"

#include <malloc.h>

#include <boost/asio/post.hpp>

#include "core/log.h"
#include "core/text.h"
#include "crypto/backup_restore.h"
#include "daemon/credential_source.h"

namespace gateway::daemon {

using core::cat;
using core::Code;
using core::Error;

struct Opening::Outcome {
  core::Result<std::shared_ptr<sync::Holdings>> holdings;
  bool set_up = false;
  std::unique_ptr<StateLock> lock;
  Candidate candidate;
};

namespace {

constexpr std::size_t kRefusalsMax = 64;

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
                                                            const crypto::SlotOpener& opener,
                                                            const core::Clock& clock,
                                                            bool& set_up) {
  GW_TRY(const bool cut_off, crypto::is_restore_cut_off(files, folder));
  if (cut_off) {
    return Error(Code::corrupt, cat("a restore into ", folder,
                                    " was cut off: stop the service and run clinic-gateway "
                                    "restore --from again"));
  }
  GW_TRY(set_up, crypto::Keyring::exists(files, folder));
  if (set_up) return crypto::Keyring::open(files, folder, opener, clock);
  GW_TRY(const bool data, holds_data(files, folder));
  if (data) {
    return Error(Code::corrupt, cat(folder,
                                    " holds data but its keyring.json is missing; restore "
                                    "keyring.json from a backup"));
  }
  const auto* passphrase = std::get_if<crypto::Passphrase>(&opener);
  if (passphrase == nullptr) {
    return Error(Code::locked,
                 "this gateway has no keys yet; give it its first passphrase with keys unlock");
  }
  auto keyring = crypto::Keyring::create(files, folder, *passphrase, clock);
  if (keyring.ok()) {
    set_up = true;
    core::log_info("daemon", cat("first start: made the keyring in ", folder));
  }
  return keyring;
}

core::Result<std::shared_ptr<sync::Holdings>> open_holdings(
    core::Files& files, const core::Clock& clock, const sync::HoldingsOptions& options,
    const crypto::SlotOpener& opener, std::unique_ptr<StateLock>& lock, bool& set_up) {
  if (!lock) {
    GW_TRY(lock, StateLock::take(options.state_folder));
  }
  GW_TRY(auto keyring, open_keyring(files, options.state_folder, opener, clock, set_up));
  auto holdings = sync::Holdings::open(files, std::move(keyring), clock, options);
  // What opened lives: a later restore must not take it for the remains of this one.
  if (holdings.ok()) GW_CHECK(crypto::end_restore(files, options.state_folder));
  return holdings;
}

bool may_pass(Code code) {
  return code == Code::no_space || code == Code::io || code == Code::exists || code == Code::busy ||
         // The database: a person may bring it back, or have it rebuilt.
         code == Code::not_found || code == Code::corrupt;
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
  tang_round_.reset();
  candidates_.clear();
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
    attempt({crypto::clone(pending_->opener), pending_->by}, nullptr);
    return;
  }
  try_credential();
  const bool asking = ask_tang();
  if (!candidates_.empty()) {
    Candidate next = std::move(candidates_.front());
    candidates_.pop_front();
    attempt(std::move(next), nullptr);
    return;
  }
  // The servers' slots come before the passphrase's; they answer within seconds or not at all.
  if (!asking) try_passphrase();
}

/// systemd hands it over at the start or never.
void Opening::try_credential() {
  if (std::exchange(looked_for_credential_, true)) return;
  auto credential = credential_of(options_.credentials_folder);
  if (!credential) return;
  if (!credential->ok()) return note("credential", credential->error().message());
  candidates_.push_back({std::move(**credential), "credential"});
}

/// True while servers have yet to answer.
bool Opening::ask_tang() {
  if (tang_round_) return true;
  const core::Monotonic now = clock_.monotonic();
  if (asked_tang_ && now - *asked_tang_ < options_.ask_tang_every) return false;
  asked_tang_ = now;
  // What is wrong with the file is said by whoever tries to open it.
  auto slots = crypto::Keyring::stored_slots(files_, options_.holdings.state_folder);
  if (!slots.ok()) return false;
  std::vector<crypto::TangBinding> bindings;
  for (crypto::KeySlot& slot : *slots) {
    if (slot.tang) bindings.push_back(std::move(*slot.tang));
  }
  if (bindings.empty()) return false;
  tang_round_ = std::make_unique<TangRound>(
      loop_, std::move(bindings),
      [this](crypto::TangSecret secret) {
        candidates_.push_back({std::move(secret), "tang"});
        look();
      },
      [this](std::string failures) {
        tang_round_.reset();
        note("tang", std::move(failures));
        look();
      });
  return true;
}

void Opening::try_passphrase() {
  std::string fingerprint = source_.fingerprint();
  if (looked_ && fingerprint == looked_at_) return;
  looked_ = true;
  looked_at_ = std::move(fingerprint);
  auto passphrase = source_.read();
  if (!passphrase.ok()) return note("passphrase", passphrase.error().message());
  attempt({std::move(*passphrase), "passphrase file"}, nullptr);
}

void Opening::unlock(crypto::SlotOpener opener, Answer answer) {
  if (report_.state == OpeningState::ready) return answer({});
  if (stopped_) return answer(Error(Code::cancelled, "the gateway is stopping"));
  if (running_) return answer(Error(Code::busy, "another attempt to unlock is running; try again"));
  const bool machine = std::holds_alternative<crypto::CredentialSecret>(opener);
  attempt({std::move(opener), machine ? "credential" : "operator"}, std::move(answer));
}

void Opening::attempt(Candidate candidate, Answer answer) {
  if (worker_.joinable()) worker_.join();
  running_ = true;
  answer_ = std::move(answer);
  tried_ = clock_.monotonic();
  worker_ = std::thread(
      [this, alive = alive_, lock = std::move(lock_), candidate = std::move(candidate)]() mutable {
        bool set_up = false;
        auto holdings =
            open_holdings(files_, clock_, options_.holdings, candidate.opener, lock, set_up);
        auto outcome = std::make_shared<Outcome>(
            Outcome{std::move(holdings), set_up, std::move(lock), std::move(candidate)});
        boost::asio::post(loop_, [this, alive, outcome] {
          if (*alive) finish(std::move(*outcome));
        });
      });
}

void Opening::finish(Outcome outcome) {
  worker_.join();
  // The derivation's 32 MiB and what migrations left behind go back to the system.
  malloc_trim(0);
  running_ = false;
  lock_ = std::move(outcome.lock);
  report_.set_up = report_.set_up || outcome.set_up;
  core::Status answer;
  if (outcome.holdings.ok()) {
    tang_round_.reset();
    candidates_.clear();
    pending_.reset();
    report_.key_protection = (*outcome.holdings)->keyring().protection();
    opened_(std::move(*outcome.holdings), outcome.candidate.by);
    set_state(OpeningState::ready, "");
  } else {
    const Error& error = outcome.holdings.error();
    answer = error;
    if (error.code() == Code::locked) {
      pending_.reset();
      refused(outcome.candidate, error);
    } else {
      if (may_pass(error.code())) pending_ = std::move(outcome.candidate);
      set_state(OpeningState::failed, error.message());
    }
  }
  const bool falls_through = !answer.ok() && answer.error().code() == Code::locked;
  if (answer_) std::exchange(answer_, nullptr)(std::move(answer));
  if (falls_through) look();
}

void Opening::refused(const Candidate& candidate, const Error& error) {
  if (refusals_.size() == kRefusalsMax) refusals_.erase(refusals_.begin());
  refusals_.push_back({clock_.wall(), candidate.by, crypto::kind_of(candidate.opener)});
  // An operator's slip is answered to the operator; it says nothing of the gateway.
  if (candidate.by == "operator") return;
  const bool file = candidate.by == "passphrase file";
  note(file ? "passphrase" : candidate.by, error.message());
}

/// Why the gateway is LOCKED: what was tried, each with what to do. A failure already known says
/// more than that.
void Opening::note(const std::string& source, std::string what) {
  notes_[source] = std::move(what);
  if (report_.state == OpeningState::failed) return;
  std::string reason;
  for (const char* known : {"credential", "tang", "passphrase"}) {
    const std::string& text = notes_[known];
    if (text.empty()) continue;
    reason += reason.empty() ? text : cat("; ", text);
  }
  if (!reason.empty()) set_state(OpeningState::locked, std::move(reason));
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
