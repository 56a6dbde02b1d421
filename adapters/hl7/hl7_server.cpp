#include "adapters/hl7/hl7_server.h"

#include <list>

#include "adapters/frame/called_devices.h"
#include "adapters/frame/crash_point.h"
#include "adapters/frame/device_traffic.h"
#include "adapters/hl7/acknowledgment.h"
#include "adapters/hl7/message_reader.h"
#include "adapters/hl7/mllp_framer.h"
#include "core/log.h"
#include "core/text.h"
#include "sync/samples.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using core::Json;
using frame::FrameEvent;

struct ServedDevice {
  explicit ServedDevice(Hl7Device what) : device(std::move(what)) {
    if (device.monitor) sampler.emplace(device.monitor->sampling);
  }
  const profiles::Profile* monitor() const { return device.monitor ? &*device.monitor : nullptr; }

  Hl7Device device;
  frame::DeviceTraffic traffic;
  std::optional<VitalsSampler> sampler;  // the listeners' thread only
};

/// The conversation of one MLLP connection.
class MllpConversation final : public frame::Conversation {
 public:
  MllpConversation(ServedDevice& served, const sync::HoldingsDoor& door, const core::Clock& clock,
                   std::string peer)
      : served_(served),
        door_(door),
        clock_(clock),
        peer_(std::move(peer)),
        framer_(make_mllp_framer(served.device.message_bytes_max)) {}

  frame::Framer& framer() override { return *framer_; }

  core::net::Awaitable<std::string> answer(FrameEvent event) override {
    served_.traffic.see(clock_.wall());
    const DeviceProfile& profile = served_.device.profile;
    if (event.kind != FrameEvent::Kind::message) {
      const std::string why =
          event.kind == FrameEvent::Kind::oversize
              ? cat("the message is longer than device.", profile.name, ".message_max_mb allows")
              : std::string("another message began before this one ended");
      Read read = broken_message(std::move(event.bytes), profile, peer_, why, clock_);
      // Whoever breaks a message off does not wait for its answer.
      if (event.kind == FrameEvent::Kind::broken) read.incoming->answer.clear();
      const Answer given = co_await take(std::move(read));
      co_return given.text;
    }
    std::string answers;
    for (std::string& message : cut_messages(std::move(event.bytes))) {
      const Answer given = co_await take_patients(cut_patients(std::move(message)));
      answers += given.text;
    }
    co_return answers;
  }

 private:
  struct Answer {
    std::string text;
    bool is_positive = true;
  };

  /// One answer for all patients of a message: the first that is not positive.
  core::net::Awaitable<Answer> take_patients(std::vector<std::string> parts) {
    Answer worst;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      Read read = read_message(std::move(parts[i]), served_.device.profile, peer_, clock_,
                               served_.monitor());
      const bool is_read = read.incoming->dead_because.empty();
      if (i > 0) read.incoming->control_id += cat("/", i + 1);
      Answer given = co_await take(std::move(read));
      given.is_positive = given.is_positive && is_read;
      if (worst.is_positive) worst = std::move(given);
    }
    co_return worst;
  }

  core::net::Awaitable<Answer> take(Read read) {
    const auto holdings = door_.get();
    if (!holdings) co_return refuse(read, "the gateway is locked; send again later");
    std::vector<bool> due;
    if (read.vitals) {
      for (Vital& vital : *read.vitals) {
        if (vital.at == core::Wall()) vital.at = clock_.wall();
      }
      due = served_.sampler->due(*read.vitals);
      if (!keep_due(*read.incoming, *read.vitals, due))
        co_return co_await keep_sample(std::move(read), holdings);
    }
    const auto taken = co_await holdings->intake().take(read.incoming);
    if (!taken.ok()) {
      core::log_warn("hl7",
                     cat("device ", served_.device.profile.name, ": ", taken.error().message()));
      co_return refuse(read, "the message could not be stored; send again later");
    }
    frame::pass_crash_point("message-committed");
    served_.traffic.count(taken->outcome);
    if (read.vitals) served_.sampler->note_sent(*read.vitals, due);
    if (taken->outcome == sync::Taken::Outcome::dead) {
      core::log_warn(
          "hl7", cat("device ", served_.device.profile.name, ": message ", taken->number,
                     " is kept as a dead letter: ", taken->reason, "; see clinic-gateway letters"));
    }
    Answer given;
    given.text = taken->answer;
    co_return given;
  }

  /// None of its values is due.
  core::net::Awaitable<Answer> keep_sample(Read read, std::shared_ptr<sync::Holdings> holdings) {
    auto sample = std::make_shared<sync::SampleMessage>();
    sample->device = served_.device.profile.name;
    sample->bytes = std::move(read.incoming->bytes);
    sample->value_count = static_cast<std::int64_t>(read.vitals->size());
    const auto kept = co_await sync::keep_sample(std::move(holdings), std::move(sample), clock_);
    if (!kept.ok()) {
      core::log_warn("hl7",
                     cat("device ", served_.device.profile.name, ": ", kept.error().message()));
      co_return refuse(read, "the message could not be stored; send again later");
    }
    frame::pass_crash_point("message-committed");
    if (*kept) {
      served_.traffic.count_sample();
    } else {
      served_.traffic.count(sync::Taken::Outcome::repeated);
    }
    Answer given;
    given.text = read.incoming->answer;
    co_return given;
  }

  Answer refuse(const Read& read, std::string_view why) {
    served_.traffic.count_refused();
    return {acknowledge(read.message ? &read.message->header() : nullptr, Verdict::in_error, why,
                        clock_),
            false};
  }

  ServedDevice& served_;
  const sync::HoldingsDoor& door_;
  const core::Clock& clock_;
  const std::string peer_;
  std::unique_ptr<frame::Framer> framer_;
};

class Server final : public Hl7Server {
 public:
  Server(std::vector<Hl7Device> devices, const sync::HoldingsDoor& door, const core::Clock& clock)
      : called_("hl7", clock) {
    for (Hl7Device& device : devices) {
      ServedDevice& served = served_.emplace_back(std::move(device));
      called_.add(
          served.device, served.traffic,
          [&served, &door, &clock](const std::string& peer) {
            return std::make_unique<MllpConversation>(served, door, clock, peer);
          },
          [&served](Json& report) {
            if (served.device.monitor) report.set("revision", served.device.monitor->revision);
          });
    }
  }
  ~Server() override { called_.stop(); }

  std::string_view name() const override { return called_.name(); }
  core::Status start() override { return called_.start(); }
  void stop() override { called_.stop(); }
  std::optional<std::uint64_t> turns() const override { return called_.turns(); }
  std::uint16_t port(const std::string& device) const override { return called_.port(device); }
  Json report() const override { return called_.report(); }
  frame::LineRecorder* recorder(const std::string& device) override {
    return called_.recorder(device);
  }

 private:
  std::list<ServedDevice> served_;
  frame::CalledDevices called_;
};

}  // namespace

std::unique_ptr<Hl7Server> Hl7Server::create(std::vector<Hl7Device> devices,
                                             const sync::HoldingsDoor& door,
                                             const core::Clock& clock) {
  return std::make_unique<Server>(std::move(devices), door, clock);
}

}  // namespace gateway::adapters::hl7
