#include "daemon/sync_component.h"

#include "sync/options.h"

namespace gateway::daemon {
namespace {

constexpr std::chrono::seconds kRetry{10};

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
                             const core::Clock& clock, std::function<void()> changed)
    : loop_(loop),
      config_(config),
      clock_(clock),
      component_(
          loop, "uplinks", kRetry, [this] { return start_service(); }, std::move(changed)) {}

SyncComponent::~SyncComponent() { stop(); }

void SyncComponent::start(std::shared_ptr<sync::Holdings> holdings) {
  holdings_ = std::move(holdings);
  holdings_->ingest().on_queued([waker = waker_] { waker->wake(); });
  component_.start();
}

void SyncComponent::stop() {
  component_.stop();
  waker_->aim_at(nullptr);
  // The service itself stays until we go: its coroutines end on the loop after this.
  if (service_) service_->stop();
  holdings_.reset();
}

core::Json SyncComponent::report() const { return service_ ? service_->report() : core::Json(); }

core::Status SyncComponent::start_service() {
  GW_TRY(auto uplinks, sync::make_uplinks(loop_, holdings_, config_, clock_));
  service_ = sync::SyncService::create(loop_, holdings_, std::move(uplinks), clock_);
  service_->start();
  waker_->aim_at(service_.get());
  return {};
}

}  // namespace gateway::daemon
