#include "daemon/ops/central_reports.h"

#include <utility>

#include "daemon/ops/alarms.h"
#include "daemon/ops/certificates.h"
#include "daemon/ops/metrics_text.h"

namespace gateway::daemon {
namespace {

using core::Json;

constexpr std::chrono::minutes kLookEvery{10};

Json metrics_document(const Vitals& vitals, const Json& certificates) {
  return Json::object(
      {{"schema", 1},
       {"at", core::to_instant(vitals.now)},
       {"boot_id", vitals.boot_id},
       {"samples", metrics_samples(status_document(vitals), certificates, read_process_facts())}});
}

}  // namespace

CentralReports::CentralReports(boost::asio::any_io_executor loop, const sync::HoldingsDoor& door,
                               BlockingLane& lane, const core::Clock& clock,
                               const core::Config& config, const MqttSettings& settings,
                               const std::string& boot_id, CommandPolicy commands, ControlAsk ask)
    : lane_(lane),
      clock_(clock),
      config_(config),
      sender_(loop, door, lane, clock, boot_id,
              [this](const std::string& topic, std::string payload, bool retained,
                     std::function<void(bool)> answered) {
                publisher_.send(topic, std::move(payload), retained, std::move(answered));
              }),
      commands_(loop, door, clock, commands,
                {.ask = std::move(ask),
                 .told = [this] { sender_.wake(); },
                 .refuse = [this](const Json& refusal) { tell_refused(refusal); }}),
      edge_(settings.sparkplug_group.empty()
                ? nullptr
                : std::make_unique<SparkplugEdge>(
                      std::move(loop), clock, settings.sparkplug_group, config.text("site.name"),
                      [this] { return publisher_.session(); },
                      config.text("storage.state_dir") + "/mqtt-bdseq")),
      publisher_(settings, config.text("site.name"), boot_id, clock, calls(commands)) {}

CentralReports::~CentralReports() {
  if (edge_) edge_->say_goodbye();
  *alive_ = false;
}

CentralCalls CentralReports::calls(const CommandPolicy& commands) {
  CentralCalls calls;
  calls.on_standing = [this](bool connected) {
    sender_.on_standing(connected);
    if (edge_) edge_->on_standing(connected);
  };
  if (edge_) {
    calls.other = OtherEncoding{edge_->death_topic(), [this] { return edge_->next_will(); },
                                edge_->command_topic(),
                                [this](std::string_view payload) { edge_->on_command(payload); }};
  }
  if (!commands.allowed.empty())
    calls.on_command = [this](std::string envelope) { commands_.take(std::move(envelope)); };
  return calls;
}

/// Once, and only if somebody is there: whoever may publish commands must not fill the queue.
void CentralReports::tell_refused(const Json& refusal) {
  publisher_.send("command/refused", refusal.dump(), /*retained=*/false, [](bool) {});
}

core::net::Awaitable<void> CentralReports::tell(Vitals vitals) {
  const std::shared_ptr<bool> alive = alive_;
  const bool looked = co_await look_at_certificates();
  if (!*alive) co_return;
  const Json metrics = metrics_document(vitals, certificates_);
  if (edge_) {
    edge_->tell(sparkplug_metrics(health_document(vitals, 0), metrics["samples"]));
  } else {
    publisher_.publish_document("metrics", metrics);
  }
  if (looked || told_state_ != vitals.opening.state) {
    told_state_ = vitals.opening.state;
    publisher_.publish_document("inventory",
                                inventory_document(vitals, config_, certificates_, system_));
  }
  commands_.go_on();
  sender_.note(alarms_of(health_document(vitals, 0), certificates_));
}

/// True when the files were read again.
core::net::Awaitable<bool> CentralReports::look_at_certificates() {
  const core::Monotonic now = clock_.monotonic();
  if (looked_at_ && now - *looked_at_ < kLookEvery) co_return false;
  const std::shared_ptr<bool> alive = alive_;
  looked_at_ = now;
  auto look = [files = certificate_files(config_), at = clock_.wall()] {
    return certificates_report(files, at);
  };
  Json rows = co_await lane_.run(std::move(look));
  if (!*alive) co_return false;
  certificates_ = std::move(rows);
  co_return true;
}

}  // namespace gateway::daemon
