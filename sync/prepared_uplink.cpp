#include "sync/prepared_uplink.h"

#include <utility>

namespace gateway::sync {
namespace {

using core::net::Awaitable;

class PreparedUplink final : public Uplink {
 public:
  explicit PreparedUplink(UplinkPlan plan) : plan_(std::move(plan)) {}

  const std::string& name() const override { return plan_.name; }
  std::string_view kind() const override { return plan_.kind; }
  UplinkLimits limits() const override { return plan_.limits; }
  std::size_t window() const override {
    return uplink_ ? uplink_->window() : plan_.limits.deliveries_in_flight;
  }

  Awaitable<std::vector<RowOutcome>> deliver(std::vector<OutboxRow> rows) override {
    const core::Status ready = prepare();
    if (ready.ok()) co_return co_await uplink_->deliver(std::move(rows));
    std::vector<RowOutcome> outcomes;
    for (const OutboxRow& row : rows) {
      RowOutcome outcome;
      outcome.number = row.number;
      outcome.reason = ready.error().message();
      outcomes.push_back(std::move(outcome));
    }
    co_return outcomes;
  }

  Awaitable<PullReport> pull() override {
    const core::Status ready = prepare();
    if (ready.ok()) co_return co_await uplink_->pull();
    PullReport report;
    report.error = ready.error().message();
    co_return report;
  }

  void on_hint(std::function<void()> hinted) override { hinted_ = std::move(hinted); }

  core::Json abilities() const override { return uplink_ ? uplink_->abilities() : core::Json(); }

  Awaitable<core::Result<core::Json>> probe() override {
    GW_CO_CHECK(prepare());
    co_return co_await uplink_->probe();
  }

  void close() override {
    closed_ = true;
    if (uplink_) uplink_->close();
  }

 private:
  core::Status prepare() {
    if (closed_) return core::Error(core::Code::cancelled, "the gateway stops");
    if (uplink_) return {};
    GW_TRY(uplink_, plan_.build());
    uplink_->on_hint(hinted_);
    return {};
  }

  UplinkPlan plan_;
  std::unique_ptr<Uplink> uplink_;
  std::function<void()> hinted_;
  bool closed_ = false;
};

}  // namespace

std::unique_ptr<Uplink> make_prepared_uplink(UplinkPlan plan) {
  return std::make_unique<PreparedUplink>(std::move(plan));
}

}  // namespace gateway::sync
