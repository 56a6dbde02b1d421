#include "sync/fhir_uplink.h"

#include <boost/asio/this_coro.hpp>
#include <utility>

#include "core/ids.h"
#include "core/text.h"
#include "sync/fhir_endpoint.h"
#include "sync/fhir_followed.h"
#include "sync/fhir_probe.h"
#include "sync/fhir_pull.h"
#include "sync/fhir_push_bundle.h"
#include "sync/pull_hints.h"
#include "sync/server_ids.h"

namespace gateway::sync {
namespace {

using core::net::Awaitable;

constexpr core::Milliseconds kFarOpening{100};
constexpr auto kProbeEvery = std::chrono::hours(24);
constexpr auto kProbeAgain = std::chrono::minutes(1);  // where it was not answered to the end

/// Nothing goes in a Bundle where a stale If-Match could pass in it.
Bundling bundling_for(const ServerAbilities& abilities) {
  Bundling bundling;
  bundling.takes_transaction = abilities.transaction != Known::no;
  if (abilities.if_match_in_bundle == Known::yes) bundling.kind = abilities.bundles();
  return bundling;
}

class FhirUplink final : public Uplink {
 public:
  FhirUplink(FhirUplinkOptions options, std::shared_ptr<core::net::HttpClient> client,
             std::shared_ptr<Holdings> holdings, const core::Clock& clock)
      : options_(std::move(options)),
        endpoint_(std::move(client)),
        holdings_(std::move(holdings)),
        clock_(clock),
        probe_id_(core::new_uuid(clock)) {}

  const std::string& name() const override { return options_.name; }
  std::string_view kind() const override { return "fhir"; }
  UplinkLimits limits() const override { return fhir_uplink_limits(options_); }
  std::size_t window() const override {
    return endpoint_.opening_time() >= kFarOpening ? kFarDeliveries : kNearDeliveries;
  }

  Awaitable<std::vector<RowOutcome>> deliver(std::vector<OutboxRow> rows) override {
    co_await probe_when_due();
    std::vector<std::string> subjects;
    for (const OutboxRow& row : rows) subjects.push_back(row.subject);
    const UnderWay under_way(crossings_, std::move(subjects));
    const Pushing with{
        endpoint_,       *holdings_,         clock_, options_.name, abilities_.put_creates,
        options_.policy, abilities_.if_match};
    co_return co_await push_rows(with, bundling_, std::move(rows));
  }
  Awaitable<PullReport> pull() override {
    co_await probe_when_due();
    const bool ids_differ = abilities_.put_creates != Known::yes || has_ids_of_the_servers();
    const Pulling with{endpoint_,     *holdings_, clock_,         crossings_,
                       options_.name, ids_differ, options_.policy};
    PullReport report = co_await pull_queries(with, options_.pull);
    if (!report.reached) co_return report;
    if (hints_) hints_->listen(co_await boost::asio::this_coro::executor, options_.pull);
    report.applied += co_await followed_.pull(with, options_.pull);
    if (!followed_.refused().empty())
      report.refused += core::cat(report.refused.empty() ? "" : "; ", followed_.refused());
    co_return report;
  }
  void on_hint(std::function<void()> hinted) override {
    if (hinted && !options_.hints_path.empty())
      hints_ = PullHints::create(endpoint_, options_.hints_path, std::move(hinted));
  }
  core::Json abilities() const override {
    core::Json report = abilities_.report();
    if (hints_ && !report.is_null()) report.set("hints", hints_->report());
    return report;
  }
  Awaitable<core::Result<core::Json>> probe() override {
    GW_CO_CHECK(co_await ask_server());
    co_return abilities();
  }
  void close() override {
    if (hints_) hints_->close();
    endpoint_.close();
  }

 private:
  /// However it ends, it can be asked again.
  struct Asking {
    bool& is_on;
    ~Asking() { is_on = false; }
  };

  /// From a time when it refused ours, perhaps.
  bool has_ids_of_the_servers() {
    const auto any = holdings_->database().read_value<bool>(
        [&](crypto::Connection& connection) { return has_server_ids(connection, options_.name); });
    return !any.ok() || *any;
  }

  /// At first contact, and daily. Who comes while it is asked goes on with what is known.
  Awaitable<void> probe_when_due() {
    // What failed is asked again in a while; deliveries say for themselves what is wrong.
    if (clock_.monotonic() >= next_probe_) (void)co_await ask_server();
  }

  Awaitable<core::Status> ask_server() {
    if (std::exchange(asking_, true))
      co_return core::Error(core::Code::busy, "the server is being asked already; wait for it");
    const Asking asking{asking_};
    next_probe_ = clock_.monotonic() + kProbeAgain;
    core::Result<ServerAbilities> found = co_await probe_server(endpoint_, probe_id_, clock_);
    if (!found.ok()) co_return std::move(found).error();
    next_probe_ = clock_.monotonic() + kProbeEvery;
    abilities_ = std::move(*found);
    endpoint_.pack_bodies(abilities_.gzip == Known::yes);
    bundling_ = bundling_for(abilities_);
    co_return core::Status();
  }

  FhirUplinkOptions options_;
  FhirEndpoint endpoint_;
  std::shared_ptr<Holdings> holdings_;
  const core::Clock& clock_;
  std::string probe_id_;
  core::Monotonic next_probe_{};
  bool asking_ = false;
  ServerAbilities abilities_;
  Bundling bundling_;
  Crossings crossings_;
  FollowedPatients followed_;
  std::shared_ptr<PullHints> hints_;
};

}  // namespace

UplinkLimits fhir_uplink_limits(const FhirUplinkOptions& options) {
  UplinkLimits limits;
  limits.deliveries_in_flight = kNearDeliveries;
  limits.deliveries_most = kFarDeliveries;
  limits.rows_per_delivery = Bundling::kEntriesMax;
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
