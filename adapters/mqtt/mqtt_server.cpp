#include "adapters/mqtt/mqtt_server.h"

#include <algorithm>
#include <limits>
#include <list>
#include <mutex>

#include "adapters/mqtt/broker_intake.h"
#include "core/text.h"

namespace gateway::adapters::mqtt {
namespace {

using core::cat;
using core::Json;
using core::net::MqttSession;

class Server final : public MqttServer {
 public:
  Server(std::vector<BrokerOptions> brokers, const sync::HoldingsDoor& door,
         const core::Clock& clock, const std::function<void()>& on_limit)
      : clock_(clock) {
    for (BrokerOptions& one : brokers) lines_.emplace_back(std::move(one), door, clock, on_limit);
  }
  ~Server() override { Server::stop(); }

  std::string_view name() const override { return "mqtt-devices"; }

  core::Status start() override {
    if (is_running()) return {};
    std::vector<std::unique_ptr<MqttSession>> begun;
    for (Line& line : lines_) {
      line.intake.watch();
      auto session = begin(line.intake);
      if (!session.ok())
        return std::move(session).error().with_context(cat("broker.", line.intake.options().name));
      begun.push_back(std::move(*session));
    }
    const std::lock_guard lock(mutex_);
    auto session = begun.begin();
    for (Line& line : lines_) line.session = std::move(*session++);
    return {};
  }

  void stop() override {
    std::vector<std::unique_ptr<MqttSession>> ending;
    const std::lock_guard lock(mutex_);
    for (Line& line : lines_) ending.push_back(std::move(line.session));
  }

  Json report() const override {
    Json devices = Json::array();
    core::Wall last{};
    const std::lock_guard lock(mutex_);
    for (const Line& line : lines_) {
      last = std::max(last, line.intake.last_seen());
      const Json reports = line.intake.report(problem_of(line));
      for (const Json& one : reports.items()) devices.add(one);
    }
    return Json::object({{"name", name()},
                         {"state", has_sessions() ? "running" : "stopped"},
                         {"reason", ""},
                         {"last_seen", frame::instant_or_null(last)},
                         {"devices", std::move(devices)}});
  }

  std::optional<std::uint64_t> turns() const override {
    const std::lock_guard lock(mutex_);
    if (!has_sessions()) return std::nullopt;
    // One that stands still is soon the least.
    std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
    for (const Line& line : lines_) least = std::min(least, line.session->state().loop_turns);
    return least;
  }

 private:
  struct Line {
    Line(BrokerOptions options, const sync::HoldingsDoor& door, const core::Clock& clock,
         std::function<void()> on_limit)
        : intake(std::move(options), door, clock, std::move(on_limit)) {}
    BrokerIntake intake;
    std::unique_ptr<MqttSession> session;  // goes first
  };

  core::Result<std::unique_ptr<MqttSession>> begin(BrokerIntake& intake) const {
    core::net::MqttOptions options = intake.options().session;
    if (const std::string& file = intake.options().password_file; !file.empty()) {
      GW_TRY(options.password, core::read_secret_file(file));
    }
    options.filters = intake.filters();
    options.message_bytes_max = intake.message_bytes_max();
    options.on_standing = [&intake](bool stands) {
      if (stands) intake.begin_session();
    };
    options.take = [&intake](const core::net::MqttMessage& message) {
      return intake.take(message);
    };
    return MqttSession::start(std::move(options), clock_);
  }

  bool is_running() const {
    const std::lock_guard lock(mutex_);
    return has_sessions();
  }
  bool has_sessions() const { return !lines_.empty() && lines_.front().session != nullptr; }

  static std::string problem_of(const Line& line) {
    if (!line.session) return {};
    const core::net::MqttState state = line.session->state();
    if (state.connected || state.last_error.empty()) return {};
    return cat("broker ", line.intake.options().name, ": ", state.last_error);
  }

  const core::Clock& clock_;
  mutable std::mutex mutex_;  // of the sessions' pointers
  std::list<Line> lines_;
};

}  // namespace

std::unique_ptr<MqttServer> MqttServer::create(std::vector<BrokerOptions> brokers,
                                               const sync::HoldingsDoor& door,
                                               const core::Clock& clock,
                                               std::function<void()> on_limit) {
  return std::make_unique<Server>(std::move(brokers), door, clock, on_limit);
}

Decoder decoder_of(const MqttDevice& device) {
  return {.decode =
              [device](std::string bytes) {
                const auto arrival = unpack(bytes);
                if (arrival.ok()) {
                  auto message = read_arrival(*arrival, device).message;
                  message->bytes = std::move(bytes);
                  return message;
                }
                auto dead = std::make_shared<sync::IncomingMessage>();
                dead->device = device.device.options.profile.name;
                dead->bytes = std::move(bytes);
                dead->dead_because = arrival.error().message();
                return dead;
              },
          .text = [](std::string_view bytes) { return std::string(bytes); }};
}

}  // namespace gateway::adapters::mqtt
