#include "sync/fhir_uplink.h"

#include "sync/fhir_endpoint.h"
#include "sync/fhir_pull.h"
#include "sync/fhir_push.h"

namespace gateway::sync {
namespace {

using core::net::Awaitable;

class FhirUplink final : public Uplink {
 public:
  FhirUplink(FhirUplinkOptions options, std::shared_ptr<core::net::HttpClient> client,
             std::shared_ptr<Holdings> holdings, const core::Clock& clock)
      : options_(std::move(options)),
        endpoint_(std::move(client)),
        holdings_(std::move(holdings)),
        clock_(clock) {}

  const std::string& name() const override { return options_.name; }
  std::string_view kind() const override { return "fhir"; }
  UplinkLimits limits() const override { return fhir_uplink_limits(options_); }

  Awaitable<std::vector<RowOutcome>> deliver(std::vector<OutboxRow> rows) override {
    std::vector<RowOutcome> outcomes;
    for (OutboxRow& row : rows) {
      const std::string subject = row.subject;
      crossings_.begin(subject);
      RowOutcome outcome =
          co_await push_resource(endpoint_, *holdings_, clock_, options_.name, std::move(row));
      crossings_.end(subject);
      outcomes.push_back(std::move(outcome));
    }
    co_return outcomes;
  }
  Awaitable<PullReport> pull() override {
    return pull_queries({endpoint_, *holdings_, clock_, crossings_, options_.name}, options_.pull);
  }
  void close() override { endpoint_.close(); }

 private:
  FhirUplinkOptions options_;
  FhirEndpoint endpoint_;
  Crossings crossings_;
  std::shared_ptr<Holdings> holdings_;
  const core::Clock& clock_;
};

}  // namespace

UplinkLimits fhir_uplink_limits(const FhirUplinkOptions& options) {
  UplinkLimits limits;
  limits.deliveries_in_flight = 4;
  if (!options.pull.empty()) limits.pull_every = options.poll_every;
  return limits;
}

std::unique_ptr<Uplink> make_fhir_uplink(FhirUplinkOptions options,
                                         std::shared_ptr<core::net::HttpClient> client,
                                         std::shared_ptr<Holdings> holdings,
                                         const core::Clock& clock) {
  return std::make_unique<FhirUplink>(std::move(options), std::move(client), std::move(holdings),
                                      clock);
}

}  // namespace gateway::sync
