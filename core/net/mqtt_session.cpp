#include "core/net/mqtt_session.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "core/ids.h"
#include "core/log.h"
#include "core/net/mqtt_client.h"
#include "core/net/mqtt_dial.h"
#include "core/net/url.h"
#include "core/text.h"

namespace gateway::core::net {
namespace {

constexpr Milliseconds turn_max{500};
constexpr Milliseconds connect_timeout{20'000};
constexpr Milliseconds goodbye_timeout{2'000};
constexpr Milliseconds stable_after{30'000};
constexpr std::size_t letters_max = 64;

/// A number in [low, high].
Milliseconds jittered(Milliseconds low, Milliseconds high) {
  std::uint32_t random = 0;
  const std::string bytes = random_bytes(sizeof random);
  std::memcpy(&random, bytes.data(), sizeof random);
  return low + Milliseconds(random % (high - low + Milliseconds(1)).count());
}

/// An eventfd: any thread rings, the loop thread polls.
class Bell {
 public:
  Bell() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;
  ~Bell() { ::close(fd_); }
  int fd() const { return fd_; }
  void ring() const { ::eventfd_write(fd_, 1); }
  void silence() const {
    eventfd_t count = 0;
    ::eventfd_read(fd_, &count);
  }

 private:
  int fd_;
};

class LoopSession final : public MqttSession {
 public:
  LoopSession(MqttOptions options, const Clock& clock)
      : options_(std::move(options)), clock_(clock), backoff_(options_.backoff_min) {}
  ~LoopSession() override {
    stopping_ = true;
    bell_->ring();
    if (thread_.joinable()) thread_.join();
  }

  Status start();
  void set_retained(const std::string& topic, std::string payload) override;
  void send(const std::string& topic, std::string payload, bool retained,
            std::function<void(bool)> answered) override;
  void send_unacknowledged(const std::string& topic, std::string payload,
                           std::function<void(bool)> answered) override;
  MqttState state() const override;

 private:
  /// The last value of a topic and how far it got. One publish per topic is under way at a time.
  struct Topic {
    std::string payload;
    std::uint64_t version = 0;
    std::uint64_t published = 0;  // the version last handed to the client; 0: none in this session
    int message_id = 0;           // awaiting the broker's answer; 0: not
  };
  using Topics = std::map<std::string, Topic>;
  /// What is to be sent once.
  struct Letter {
    std::string topic;
    std::string payload;
    bool retained = false;
    MqttClient::Qos qos = MqttClient::Qos::at_least_once;
    std::function<void(bool)> answered;
    int message_id = 0;  // 0: not handed to the client yet
  };

  void queue(Letter letter);
  void run();
  Status read_trust();
  std::string hold_session();
  Result<MqttDial::Dialed> dial();
  std::string drive(MqttClient& client);
  void publish_waiting(MqttClient& client);
  void publish_letters(MqttClient& client);
  void note_answers(MqttClient& client);
  void note_answer(const MqttClient::Acknowledged& answer);
  void hand_on_messages(MqttClient& client);
  void take(MqttClient& client, const std::vector<MqttMessage>& messages);
  bool all_answered() const;
  void forget_session();
  void say_goodbye(MqttClient& client);
  void wait_before_next();
  void wait_for_bell(Milliseconds longest);
  void note_turn();
  void note_connected(MqttClient& client);
  void note_ended(const std::string& why);

  const MqttOptions options_;
  const Clock& clock_;
  const std::shared_ptr<Bell> bell_ = std::make_shared<Bell>();  // a dial may outlive us
  std::atomic<bool> stopping_{false};
  Milliseconds backoff_;  // loop thread only
  // Loop thread only, and of the dial while that is under way. Reading the system's store takes
  // some 30 ms of CPU: kept until a file of it changes.
  std::shared_ptr<TlsContext> tls_;
  std::shared_ptr<MqttDial> dial_;  // loop thread only: one that has not come back
  std::optional<Monotonic>
      stood_since_;  // loop thread only: when the present session was established
  mutable std::mutex mutex_;
  Topics topics_;  // guarded by mutex_; as many as the gateway has topics, each with one value
  std::vector<Letter> letters_;  // guarded by mutex_
  MqttState state_;              // guarded by mutex_
  std::thread thread_;
};

Status LoopSession::start() {
  if (options_.host.empty() || options_.client_id.empty()) {
    return Error(Code::invalid, "MQTT needs a broker host and a client id");
  }
  if (options_.plain) {
    Url broker;
    broker.host = options_.host;
    if (!broker.loopback()) {
      return Error(Code::invalid, cat("MQTT without TLS is for a broker on this machine only, not ",
                                      options_.host));
    }
  } else {
    GW_CHECK(read_trust());
  }
  if (bell_->fd() < 0) return Error(Code::io, cat("no eventfd: ", std::strerror(errno)));

  // The daemon's signals belong to its main thread, and a broken pipe is an error code here.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return {};
}

/// Anew once a file was changed, so that renewed certificates are taken up.
Status LoopSession::read_trust() {
  if (tls_ && tls_->is_current()) return {};
  GW_TRY(tls_, TlsContext::create({options_.host, options_.ca_file, options_.certificate_file,
                                   options_.key_file}));
  return {};
}

void LoopSession::set_retained(const std::string& topic, std::string payload) {
  {
    const std::lock_guard lock(mutex_);
    Topic& entry = topics_[topic];
    entry.payload = std::move(payload);
    ++entry.version;
  }
  bell_->ring();
}

void LoopSession::send(const std::string& topic, std::string payload, bool retained,
                       std::function<void(bool)> answered) {
  queue({topic, std::move(payload), retained, MqttClient::Qos::at_least_once, std::move(answered)});
}

void LoopSession::send_unacknowledged(const std::string& topic, std::string payload,
                                      std::function<void(bool)> answered) {
  queue({topic, std::move(payload), /*retained=*/false, MqttClient::Qos::at_most_once,
         std::move(answered)});
}

void LoopSession::queue(Letter letter) {
  std::unique_lock lock(mutex_);
  if (!state_.connected || letters_.size() >= letters_max) {
    lock.unlock();
    return letter.answered(false);
  }
  letters_.push_back(std::move(letter));
  lock.unlock();
  bell_->ring();
}

MqttState LoopSession::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

void LoopSession::run() {
  ::pthread_setname_np(::pthread_self(), "mqtt");
  while (!stopping_) {
    const std::string why = hold_session();
    note_ended(why);
    if (!stopping_) wait_before_next();
  }
}

/// One attempt: from connecting to the end of the session; answers why it ended.
std::string LoopSession::hold_session() {
  note_turn();
  stood_since_.reset();
  forget_session();
  auto dialed = dial();
  if (!dialed.ok()) return dialed.error().message();
  return drive(*dialed->client);
}

/// One that outlasts our patience is waited for by the next attempt: there are never two.
Result<MqttDial::Dialed> LoopSession::dial() {
  if (!dial_) {
    if (!options_.plain) GW_CHECK(read_trust());
    MqttOptions options = options_;
    if (options_.next_will) options.will_payload = options_.next_will();
    GW_TRY(dial_, MqttDial::begin(std::move(options), tls_, [bell = bell_] { bell->ring(); }));
  }
  const Monotonic until = clock_.monotonic() + connect_timeout;
  while (!dial_->is_done() && !stopping_ && clock_.monotonic() < until) {
    note_turn();
    wait_for_bell(turn_max);
  }
  if (dial_->is_done()) return std::exchange(dial_, nullptr)->take();
  return Error(Code::unavailable,
               cat(options_.host, ':', options_.port,
                   ": its name was not resolved in time; check DNS and the link"));
}

std::string LoopSession::drive(MqttClient& client) {
  const Monotonic begun = clock_.monotonic();
  while (client.phase() != MqttClient::Phase::ended) {
    note_turn();
    if (client.phase() == MqttClient::Phase::connected) {
      if (!stood_since_) note_connected(client);
      if (stopping_) {
        say_goodbye(client);
        return "disconnected";
      }
      publish_waiting(client);
    } else if (stopping_) {
      return "stopped while connecting";
    } else if (clock_.monotonic() - begun > connect_timeout) {
      return cat(options_.host, ':', options_.port, ": no session within ", connect_timeout.count(),
                 " ms");
    }
    client.turn(bell_->fd(), turn_max);
    bell_->silence();
    note_answers(client);
    hand_on_messages(client);
  }
  return client.why_ended();
}

void LoopSession::publish_waiting(MqttClient& client) {
  publish_letters(client);
  const std::lock_guard lock(mutex_);
  for (auto& [name, topic] : topics_) {
    if (topic.message_id != 0 || topic.published == topic.version) continue;
    topic.published = topic.version;
    const auto message_id =
        client.publish(name, topic.payload, /*retained=*/true, MqttClient::Qos::at_least_once);
    if (message_id.ok()) {
      topic.message_id = *message_id;
    } else if (message_id.error().code() == Code::unavailable) {
      return;
    } else {
      log_error("core", message_id.error().message());
    }
  }
}

void LoopSession::publish_letters(MqttClient& client) {
  std::vector<Letter> unfit;
  {
    const std::lock_guard lock(mutex_);
    for (auto letter = letters_.begin(); letter != letters_.end();) {
      if (letter->message_id == 0) {
        const auto message_id =
            client.publish(letter->topic, letter->payload, letter->retained, letter->qos);
        if (!message_id.ok() && message_id.error().code() != Code::unavailable) {
          log_warn("core", message_id.error().message());
          unfit.push_back(std::move(*letter));
          letter = letters_.erase(letter);
          continue;
        }
        if (!message_id.ok()) break;  // the session's end answers it
        letter->message_id = *message_id;
      }
      ++letter;
    }
  }
  for (const Letter& letter : unfit) letter.answered(false);
}

void LoopSession::note_answers(MqttClient& client) {
  for (const MqttClient::Acknowledged& answer : client.acknowledged()) note_answer(answer);
}

void LoopSession::note_answer(const MqttClient::Acknowledged& answer) {
  const auto is_answered = [&](const auto& what) { return what.message_id == answer.message_id; };
  std::function<void(bool)> answered;
  std::string topic;
  {
    const std::lock_guard lock(mutex_);
    if (const auto letter = std::ranges::find_if(letters_, is_answered); letter != letters_.end()) {
      answered = std::move(letter->answered);
      topic = letter->topic;
      letters_.erase(letter);
    } else {
      for (auto& [name, held] : topics_) {
        if (!is_answered(held)) continue;
        held.message_id = 0;
        topic = name;
      }
    }
  }
  if (!answer.refusal.empty() && !topic.empty()) {
    log_warn("core", cat("the MQTT broker refused topic ", topic, " (", answer.refusal,
                         "); check its access rules"));
  }
  if (answered) answered(answer.refusal.empty());
}

void LoopSession::hand_on_messages(MqttClient& client) {
  std::vector<MqttMessage> messages = client.messages();
  if (options_.take) return take(client, messages);
  for (MqttMessage& message : messages) {
    if (options_.on_message) options_.on_message(std::move(message));
  }
}

void LoopSession::take(MqttClient& client, const std::vector<MqttMessage>& messages) {
  for (const MqttMessage& message : messages) {
    note_turn();
    const Status taken = stopping_ ? Error(Code::cancelled, "stopped") : options_.take(message);
    if (!taken.ok()) return client.drop(taken.error().message());
  }
  if (!messages.empty()) client.acknowledge();
}

bool LoopSession::all_answered() const {
  const std::lock_guard lock(mutex_);
  return letters_.empty() && std::all_of(topics_.begin(), topics_.end(), [](const auto& entry) {
           return entry.second.message_id == 0 && entry.second.published == entry.second.version;
         });
}

void LoopSession::forget_session() {
  const std::lock_guard lock(mutex_);
  for (auto& [name, topic] : topics_) {
    topic.published = 0;
    topic.message_id = 0;
  }
}

void LoopSession::say_goodbye(MqttClient& client) {
  const auto deadline = clock_.monotonic() + goodbye_timeout;
  publish_waiting(client);
  while (!all_answered() && client.phase() == MqttClient::Phase::connected &&
         clock_.monotonic() < deadline) {
    client.turn(bell_->fd(), Milliseconds(50));
    bell_->silence();
    note_answers(client);
    publish_waiting(client);
  }
  client.disconnect();
}

void LoopSession::wait_before_next() {
  const bool stable = stood_since_ && clock_.monotonic() - *stood_since_ >= stable_after;
  if (stable) backoff_ = options_.backoff_min;
  const Monotonic until = clock_.monotonic() + jittered(backoff_ / 30, backoff_);
  backoff_ = std::min(backoff_ * 2, options_.backoff_max);
  while (!stopping_ && clock_.monotonic() < until) {
    note_turn();
    const auto left =
        std::chrono::duration_cast<Milliseconds>(until - clock_.monotonic()) + Milliseconds(1);
    wait_for_bell(std::clamp(left, Milliseconds(1), turn_max));
  }
}

void LoopSession::wait_for_bell(Milliseconds longest) {
  pollfd rung{bell_->fd(), POLLIN, 0};
  ::poll(&rung, 1, static_cast<int>(longest.count()));
  bell_->silence();
}

void LoopSession::note_turn() {
  const std::lock_guard lock(mutex_);
  ++state_.loop_turns;
}

void LoopSession::note_connected(MqttClient& client) {
  stood_since_ = clock_.monotonic();
  {
    const std::lock_guard lock(mutex_);
    state_.connected = true;
    ++state_.connects;
    state_.last_error.clear();
  }
  // A failure ends the session, which drive() sees.
  for (const std::string& topic : options_.subscriptions) (void)client.subscribe(topic);
  for (const std::string& filter : options_.filters) (void)client.subscribe(filter);
  if (options_.on_standing) options_.on_standing(true);
}

void LoopSession::note_ended(const std::string& why) {
  std::vector<Letter> unanswered;
  bool stood = false;
  {
    const std::lock_guard lock(mutex_);
    stood = std::exchange(state_.connected, false);
    state_.last_error = why;
    unanswered = std::exchange(letters_, {});
  }
  for (const Letter& letter : unanswered) letter.answered(false);
  if (stood && options_.on_standing) options_.on_standing(false);
}

}  // namespace

Result<std::unique_ptr<MqttSession>> MqttSession::start(MqttOptions options, const Clock& clock) {
  options.backoff_min = std::max(options.backoff_min, Milliseconds(1));
  options.backoff_max = std::max(options.backoff_max, options.backoff_min);
  auto session = std::make_unique<LoopSession>(std::move(options), clock);
  GW_CHECK(session->start());
  return std::unique_ptr<MqttSession>(std::move(session));
}

}  // namespace gateway::core::net
