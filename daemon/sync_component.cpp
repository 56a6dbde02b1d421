#include "daemon/sync_component.h"

#include <boost/asio/post.hpp>
#include <utility>

#include "adapters/dicom/dimse_uplink.h"
#include "adapters/hl7/order_uplink.h"
#include "core/files.h"
#include "sync/options.h"

namespace gateway::daemon {
namespace {

core::Error not_running() {
  return {core::Code::locked, "the gateway is locked: nothing is sent until it is unlocked"};
}

}  // namespace

void SyncComponent::Waker::wake() {
  const std::lock_guard lock(mutex);
  if (service) service->wake();
}

void SyncComponent::Waker::aim_at(sync::SyncService* target) {
  const std::lock_guard lock(mutex);
  service = target;
}

SyncComponent::SyncComponent(boost::asio::any_io_executor loop, const core::Config& config,
                             const core::Clock& clock, std::function<void()> restart)
    : loop_(loop), config_(config), clock_(clock), restart_(std::move(restart)) {}

SyncComponent::~SyncComponent() { stop(); }

void SyncComponent::start(std::shared_ptr<sync::Holdings> holdings) {
  holdings_ = std::move(holdings);
  holdings_->ingest().on_queued([waker = waker_] { waker->wake(); });
  holdings_->intake().on_queued([waker = waker_] { waker->wake(); });
  begin();
}

void SyncComponent::begin() {
  service_ = sync::SyncService::create(
      loop_, holdings_,
      sync::make_uplinks(
          loop_, holdings_, config_, clock_,
          {{"dicom", adapters::dicom::dimse_uplinks(holdings_, config_, clock_)},
           {"hl7", adapters::hl7::order_uplinks(loop_, holdings_, config_, clock_)}}),
      clock_);
  service_->start();
  waker_->aim_at(service_.get());
  sync::UpkeepOptions upkeep = sync::upkeep_options(config_);
  upkeep.restart = [loop = loop_, restart = restart_] { boost::asio::post(loop, restart); };
  upkeep_ = sync::Upkeep::start(holdings_, core::system_files(), clock_, std::move(upkeep));
}

void SyncComponent::end() {
  waker_->aim_at(nullptr);
  upkeep_.reset();
  // Its coroutines hold the service itself, and end on the loop after this.
  if (service_) service_->stop();
}

void SyncComponent::change(const core::Config& config) {
  end();
  config_ = config;
  if (holdings_) begin();
}

void SyncComponent::stop() {
  end();
  holdings_.reset();
}

core::Status SyncComponent::sync_now() {
  if (!service_) return not_running();
  service_->sync_now();
  return {};
}

core::Status SyncComponent::set_paused(const std::string& uplink, bool paused) {
  if (!service_) return not_running();
  service_->set_paused(uplink, paused);
  return {};
}

core::net::Awaitable<core::Result<core::Json>> SyncComponent::probe(std::string uplink) {
  const auto service = service_;
  if (!service) co_return not_running();
  co_return co_await service->probe(std::move(uplink));
}

core::Json SyncComponent::report() const { return service_ ? service_->report() : core::Json(); }

core::Json SyncComponent::upkeep_report() const {
  return upkeep_ ? upkeep_->report() : core::Json();
}

std::vector<std::string> SyncComponent::upkeep_problems() const {
  return upkeep_ ? upkeep_->problems() : std::vector<std::string>();
}

}  // namespace gateway::daemon
