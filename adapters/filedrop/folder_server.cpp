#include "adapters/filedrop/folder_server.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <list>
#include <map>
#include <mutex>
#include <thread>

#include "adapters/filedrop/folder_intake.h"
#include "core/log.h"
#include "core/text.h"

namespace gateway::adapters::filedrop {
namespace {

using core::cat;
using core::Json;

constexpr int kRestMs = 200;  // a copy tells of each piece
constexpr int kTurnMs = 800;  // looks also where the kernel tells of nothing: network mounts

class Server final : public FolderServer {
 public:
  Server(std::vector<FolderDevice> devices, FileDecoders decoders, const sync::HoldingsDoor& door,
         const core::Clock& clock)
      : clock_(clock),
        decoders_(std::move(decoders)),
        bell_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    for (FolderDevice& device : devices)
      intakes_.emplace_back(std::move(device), decoders_, door, clock, turns_);
  }
  ~Server() override {
    Server::stop();
    ::close(bell_);
  }

  std::string_view name() const override { return "folder"; }
  core::Status start() override {
    if (thread_.joinable()) return {};
    for (FolderIntake& intake : intakes_) intake.traffic().watch(clock_.wall());
    stopping_ = false;
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return {};
  }
  void stop() override {
    if (!thread_.joinable()) return;
    stopping_ = true;
    ::eventfd_write(bell_, 1);
    thread_.join();
  }
  std::optional<std::uint64_t> turns() const override {
    if (!thread_.joinable()) return std::nullopt;
    return turns_.load();
  }

  Json report() const override {
    Json devices = Json::array();
    core::Wall last{};
    const std::lock_guard lock(mutex_);
    for (const FolderIntake& intake : intakes_) {
      const fields::FieldDevice& device = intake.device().device;
      last = std::max(last, intake.traffic().last_seen());
      Json one = intake.traffic().report(device.options, clock_.wall());
      one.set("revision", device.profile.revision);
      const auto problem = problems_.find(device.options.profile.name);
      one.set("problem", problem == problems_.end() ? std::string() : problem->second);
      devices.add(std::move(one));
    }
    return Json::object({{"name", "folder"},
                         {"state", thread_.joinable() ? "running" : "stopped"},
                         {"reason", ""},
                         {"last_seen", frame::instant_or_null(last)},
                         {"devices", std::move(devices)}});
  }

 private:
  void run() {
    ::pthread_setname_np(::pthread_self(), "folders");
    while (!stopping_) {
      ++turns_;
      for (FolderIntake& intake : intakes_) {
        if (!stopping_) note(intake.device().device.options.profile.name, intake.turn());
      }
      wait();
    }
    for (FolderIntake& intake : intakes_) intake.close();
  }

  void wait() const {
    std::vector<pollfd> watched{{bell_, POLLIN, 0}};
    if (::poll(watched.data(), 1, kRestMs) > 0) return;
    for (const FolderIntake& intake : intakes_) {
      if (intake.events() >= 0) watched.push_back({intake.events(), POLLIN, 0});
    }
    ::poll(watched.data(), watched.size(), kTurnMs);
  }

  void note(const std::string& device, std::string problem) {
    const std::lock_guard lock(mutex_);
    std::string& held = problems_[device];
    if (problem != held && !problem.empty())
      core::log_warn("folder", cat("device ", device, ": ", problem));
    held = std::move(problem);
  }

  const core::Clock& clock_;
  const FileDecoders decoders_;
  const int bell_;
  std::thread thread_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> turns_{0};
  std::list<FolderIntake> intakes_;
  mutable std::mutex mutex_;
  std::map<std::string, std::string> problems_;
};

}  // namespace

std::unique_ptr<FolderServer> FolderServer::create(std::vector<FolderDevice> devices,
                                                   FileDecoders decoders,
                                                   const sync::HoldingsDoor& door,
                                                   const core::Clock& clock) {
  return std::make_unique<Server>(std::move(devices), std::move(decoders), door, clock);
}

Decoder decoder_of(const fields::FieldDevice& device, const FileDecoders& decoders) {
  const auto decode_other = [device, hl7 = decoders.hl7](std::string bytes) {
    return hl7(std::move(bytes), device.options.profile).front();
  };
  return {.decode =
              [device, decode_other](std::string bytes) {
                if (!is_of_drop(bytes)) return decode_other(std::move(bytes));
                auto kept = read_kept(std::move(bytes), device);
                if (kept.ok()) return std::move(*kept);
                auto dead = std::make_shared<sync::IncomingMessage>();
                dead->device = device.options.profile.name;
                dead->dead_because = kept.error().message();
                return dead;
              },
          .text =
              [](std::string_view bytes) {
                return is_of_drop(bytes) ? text_of_drop(bytes) : std::string(bytes);
              }};
}

}  // namespace gateway::adapters::filedrop
