// What tests/bench/fleet.py runs: the health publishers of many gateways, each with its own session
// and thread as in a clinic, in one process. It watches the broker go and come back.
//
// bench_fleet_gateways COUNT HOST PORT CA USER PASSWORD_FILE prints "connected" when every gateway
// has a session, then, once each has lost it and has another, one JSON array: the monotonic times
// in seconds at which the sessions were established again. It fails when that takes ten minutes.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/clock.h"
#include "core/ids.h"
#include "core/log.h"
#include "core/text.h"
#include "daemon/ops/health.h"

namespace gateway {
namespace {

constexpr std::chrono::milliseconds kLook{10};
constexpr std::chrono::minutes kPatience{10};

class Fleet {
 public:
  core::Status start(const daemon::MqttSettings& settings, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      daemon::Vitals vitals;
      vitals.site = core::cat("clinic-", i);
      vitals.boot_id = core::new_uuid();
      vitals.now = core::system_clock().wall();
      vitals.mqtt.configured = true;
      gateways_.push_back(std::make_unique<daemon::HealthPublisher>(
          settings, vitals.site, vitals.boot_id, core::system_clock()));
      GW_CHECK(gateways_.back()->start());
      gateways_.back()->publish(vitals);
    }
    return {};
  }

  /// Waits until every gateway has established that many sessions; answers when each did.
  core::Result<std::vector<double>> wait_for_sessions(std::uint64_t wanted) {
    std::vector<double> at(gateways_.size(), 0);
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (std::ranges::count(at, 0.0) > 0) {
      const auto now = std::chrono::steady_clock::now();
      if (now > deadline) {
        return core::Error(core::Code::unavailable,
                           core::cat(std::ranges::count(at, 0.0), " gateways have no session"));
      }
      for (std::size_t i = 0; i < at.size(); ++i) {
        if (at[i] == 0 && gateways_[i]->state().connects >= wanted) {
          at[i] = std::chrono::duration<double>(now.time_since_epoch()).count();
        }
      }
      std::this_thread::sleep_for(kLook);
    }
    return at;
  }

 private:
  std::vector<std::unique_ptr<daemon::HealthPublisher>> gateways_;
};

core::Status run(char** arguments) {
  daemon::MqttSettings settings;
  settings.host = arguments[2];
  settings.port = static_cast<std::uint16_t>(std::atoi(arguments[3]));
  settings.ca_file = arguments[4];
  settings.username = arguments[5];
  settings.password_file = arguments[6];
  settings.topic_prefix = "fleet";
  Fleet fleet;
  GW_CHECK(fleet.start(settings, static_cast<std::size_t>(std::atoi(arguments[1]))));
  GW_TRY(const auto first, fleet.wait_for_sessions(1));
  std::printf("connected\n");
  std::fflush(stdout);
  GW_TRY(const auto back, fleet.wait_for_sessions(2));
  const char* before = "[";
  for (const double at : back) {
    std::printf("%s%.3f", before, at);
    before = ", ";
  }
  std::printf("]\n");
  std::fflush(stdout);
  return {};
}

}  // namespace
}  // namespace gateway

int main(int argc, char** argv) {
  if (argc != 7) {
    std::fprintf(stderr, "usage: %s COUNT HOST PORT CA USER PASSWORD_FILE\n", argv[0]);
    return 2;
  }
  const auto outcome = gateway::run(argv);
  if (!outcome.ok()) std::fprintf(stderr, "%s\n", outcome.error().message().c_str());
  return outcome.ok() ? 0 : 1;
}
