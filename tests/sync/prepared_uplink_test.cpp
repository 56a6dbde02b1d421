// What the service sees of an uplink that is built when it is first needed.
#include "sync/prepared_uplink.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

namespace gateway::sync {
namespace {

constexpr std::size_t kFound = 7;

/// Finds with its first delivery how many at once serve the link best.
class LearningUplink final : public Uplink {
 public:
  const std::string& name() const override { return name_; }
  std::string_view kind() const override { return "fhir"; }
  UplinkLimits limits() const override { return {}; }
  std::size_t window() const override { return window_; }
  core::net::Awaitable<std::vector<RowOutcome>> deliver(std::vector<OutboxRow> rows) override {
    window_ = kFound;
    std::vector<RowOutcome> outcomes;
    for (const OutboxRow& row : rows) outcomes.push_back(ended(row, Delivery::delivered, ""));
    co_return outcomes;
  }
  core::net::Awaitable<PullReport> pull() override { co_return PullReport{}; }
  void close() override {}

 private:
  const std::string name_ = "his";
  std::size_t window_ = 1;
};

std::vector<RowOutcome> deliver_one(Uplink& uplink) {
  std::vector<RowOutcome> outcomes;
  boost::asio::io_context loop;
  boost::asio::co_spawn(loop, uplink.deliver({OutboxRow{}}),
                        [&](std::exception_ptr, std::vector<RowOutcome> all) { outcomes = all; });
  loop.run();
  return outcomes;
}

TEST(PreparedUplink, HasThePlansWindowUntilTheUplinkItselfSaysAnother) {
  UplinkPlan plan{"his", "fhir", {}, []() -> core::Result<std::unique_ptr<Uplink>> {
                    return std::unique_ptr<Uplink>(std::make_unique<LearningUplink>());
                  }};
  plan.limits.deliveries_in_flight = 4;
  const auto uplink = make_prepared_uplink(std::move(plan));
  EXPECT_EQ(uplink->window(), 4U);
  const auto outcomes = deliver_one(*uplink);
  ASSERT_EQ(outcomes.size(), 1U);
  EXPECT_EQ(outcomes[0].result, Delivery::delivered);
  EXPECT_EQ(uplink->window(), kFound);
}

TEST(PreparedUplink, SaysWhyItCannotBeBuiltAndIsBuiltOnceItCan) {
  bool is_mended = false;
  const auto uplink =
      make_prepared_uplink({"his", "fhir", {}, [&]() -> core::Result<std::unique_ptr<Uplink>> {
                              if (!is_mended)
                                return core::Error(core::Code::invalid, "his.pem cannot be read");
                              return std::unique_ptr<Uplink>(std::make_unique<LearningUplink>());
                            }});
  auto outcomes = deliver_one(*uplink);
  ASSERT_EQ(outcomes.size(), 1U);
  EXPECT_EQ(outcomes[0].result, Delivery::unreached);
  EXPECT_EQ(outcomes[0].reason, "his.pem cannot be read");
  is_mended = true;
  outcomes = deliver_one(*uplink);
  ASSERT_EQ(outcomes.size(), 1U);
  EXPECT_EQ(outcomes[0].result, Delivery::delivered);
}

}  // namespace
}  // namespace gateway::sync
