// The engine's executor over the real database, which sometimes takes no writes.
#include "sync/service.h"

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <variant>

#include "core/civil_time.h"
#include "sync/uplink_pauses.h"
#include "tests/sync/records_fixture.h"

namespace gateway::sync {
namespace {

/// Rings when the test says so.
class HandAlarm final : public Alarm {
 public:
  explicit HandAlarm(std::function<void()>& ring) : ring_(ring) {}
  void set(core::Monotonic /*time*/, std::function<void()> ring) override {
    ring_ = std::move(ring);
  }
  void cancel() override { ring_ = nullptr; }

 private:
  std::function<void()>& ring_;
};

class LaterClock final : public core::Clock {
 public:
  core::Wall wall() const override { return starts_at + later; }
  core::Monotonic monotonic() const override { return core::system_clock().monotonic() + later; }
  core::Wall starts_at = core::system_clock().wall();
  core::Milliseconds later{0};
};

/// Answers every row the same way.
class OneAnswerUplink final : public Uplink {
 public:
  OneAnswerUplink(Delivery answer, int& sent, UplinkHours hours)
      : answer_(answer), sent_(sent), hours_(std::move(hours)) {}
  const std::string& name() const override { return name_; }
  std::string_view kind() const override { return "stow"; }
  UplinkLimits limits() const override {
    UplinkLimits limits;
    limits.hours = hours_;
    return limits;
  }
  core::net::Awaitable<std::vector<RowOutcome>> deliver(std::vector<OutboxRow> rows) override {
    std::vector<RowOutcome> outcomes;
    for (const OutboxRow& row : rows) {
      RowOutcome outcome;
      outcome.number = row.number;
      outcome.result = answer_;
      outcome.reason = answer_ == Delivery::delivered ? "" : "the PACS answered 500";
      outcomes.push_back(outcome);
      ++sent_;
    }
    co_return outcomes;
  }
  core::net::Awaitable<PullReport> pull() override { co_return PullReport{}; }
  void close() override {}

 private:
  const std::string name_ = "pacs";
  Delivery answer_;
  int& sent_;
  UplinkHours hours_;
};

/// Has a defect that shows with one row, whatever comes with it, and with every pull.
class TrippingUplink final : public Uplink {
 public:
  TrippingUplink(std::string trips_over, int& pulls)
      : trips_over_(std::move(trips_over)), pulls_(pulls) {}
  const std::string& name() const override { return name_; }
  std::string_view kind() const override { return "stow"; }
  UplinkLimits limits() const override {
    UplinkLimits limits;
    limits.rows_per_delivery = 10;
    limits.pull_every = core::Milliseconds(1'000);
    return limits;
  }
  core::net::Awaitable<std::vector<RowOutcome>> deliver(std::vector<OutboxRow> rows) override {
    std::vector<RowOutcome> outcomes;
    for (const OutboxRow& row : rows) {
      if (row.subject == trips_over_) throw std::bad_variant_access();
      outcomes.push_back(ended(row, Delivery::delivered, ""));
    }
    co_return outcomes;
  }
  core::net::Awaitable<PullReport> pull() override {
    if (++pulls_ > 0) throw std::bad_variant_access();
    co_return PullReport{};
  }
  void close() override {}

 private:
  const std::string name_ = "pacs";
  std::string trips_over_;
  int& pulls_;
};

class ServiceTest : public RecordsTest {
 protected:
  void TearDown() override {
    if (service_) service_->stop();
    loop_.restart();
    loop_.poll();
    service_.reset();
    RecordsTest::TearDown();
  }
  void start(Delivery answer, UplinkHours hours = {}) {
    start(std::make_unique<OneAnswerUplink>(answer, sent_, std::move(hours)));
  }
  void start(std::unique_ptr<Uplink> uplink) {
    std::vector<std::unique_ptr<Uplink>> uplinks;
    uplinks.push_back(std::move(uplink));
    service_ = SyncService::create(loop_.get_executor(), held_, std::move(uplinks), clock_,
                                   ServiceSeams{std::make_unique<HandAlarm>(ring_), 1});
    service_->start();
  }
  /// Runs the loop until `holds`, ringing the alarm whenever nothing else happens.
  template <class Condition>
  void run_until(Condition holds) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!holds() && std::chrono::steady_clock::now() < deadline) {
      loop_.restart();
      if (loop_.run_for(std::chrono::milliseconds(20)) > 0 || !ring_) continue;
      clock_.later += std::chrono::minutes(15);
      std::exchange(ring_, nullptr)();
    }
    ASSERT_TRUE(holds());
  }
  std::int64_t rows(const std::string& state) {
    return count(
        core::cat("SELECT count(*) FROM outbox WHERE uplink = 'pacs' AND state = '", state, "'"));
  }

  boost::asio::io_context loop_;
  LaterClock clock_;
  std::function<void()> ring_;
  int sent_ = 0;
  std::shared_ptr<SyncService> service_;
};

TEST_F(ServiceTest, AVerdictThatCannotBeWrittenIsWrittenWhenTheDiskTakesItAndTheRowNotSentAgain) {
  store(facts("1.2", "1.2.3"), "pixels");
  write([](Connection& c) {
    return c.run(
        "CREATE TRIGGER full BEFORE INSERT ON dicom_delivery BEGIN"
        " SELECT raise(ABORT, 'the disk is full'); END");
  });
  start(Delivery::delivered);
  run_until([&] { return sent_ == 1 && ring_; });
  EXPECT_EQ(rows("sending"), 1);
  run_until([&] { return clock_.later > std::chrono::hours(1); });
  EXPECT_EQ(rows("sending"), 1);
  write([](Connection& c) { return c.run("DROP TRIGGER full"); });
  run_until([&] { return count("SELECT count(*) FROM dicom_delivery") == 1; });
  EXPECT_EQ(count("SELECT count(*) FROM outbox WHERE uplink = 'pacs'"), 0);
  EXPECT_EQ(sent_, 1);
}

TEST_F(ServiceTest, NothingIsSentBeforeWhatWasBeingSentWaitsAgain) {
  store(facts("1.2", "1.2.3"), "pixels");
  ASSERT_EQ(claim("pacs").rows.size(), 1u);
  write([](Connection& c) {
    return c.run(
        "CREATE TRIGGER full BEFORE UPDATE ON outbox BEGIN"
        " SELECT raise(ABORT, 'the disk is full'); END");
  });
  start(Delivery::delivered);
  run_until([&] { return clock_.later > std::chrono::hours(1); });
  EXPECT_EQ(rows("sending"), 1);
  write([](Connection& c) { return c.run("DROP TRIGGER full"); });
  run_until([&] { return rows("sending") == 0 && sent_ == 1; });
}

TEST_F(ServiceTest, APauseOutlivesARestartUntilItIsTakenBack) {
  write([](Connection& c) { return keep_paused(c, "pacs", true); });
  store(facts("1.2", "1.2.3"), "pixels");
  start(Delivery::delivered);
  run_until([&] { return service_->report()[std::size_t{0}]["paused"].boolean(); });
  service_->sync_now();
  loop_.restart();
  loop_.poll();
  EXPECT_EQ(sent_, 0);
  service_->set_paused("pacs", false);
  run_until([&] { return sent_ == 1; });
  EXPECT_EQ(sent_, 1);
}

TEST_F(ServiceTest, OutsideItsHoursAnUplinkWaitsAndSaysSo) {
  clock_.starts_at = *core::parse_instant("2026-07-01T18:00:00Z");
  store(facts("1.2", "1.2.3"), "pixels");
  start(Delivery::delivered, *UplinkHours::parse({"22:00-06:00"}, "UTC"));
  run_until([&] { return clock_.later > std::chrono::hours(3); });
  EXPECT_EQ(sent_, 0);
  EXPECT_FALSE(service_->report()[std::size_t{0}]["open"].boolean());
  run_until([&] { return sent_ == 1; });
  EXPECT_GE(clock_.wall(), *core::parse_instant("2026-07-01T22:00:00Z"));
  EXPECT_TRUE(service_->report()[std::size_t{0}]["open"].boolean());
}

TEST_F(ServiceTest, ARowThatMeetsADefectOfOursEndsAndHoldsNoOtherBack) {
  for (const char* uid : {"1.2.3", "1.2.4", "1.2.5"}) store(facts("1.2", uid), "pixels");
  const std::string second =
      text("SELECT subject FROM outbox WHERE uplink = 'pacs' ORDER BY number LIMIT 1 OFFSET 1");
  int pulls = 0;
  start(std::make_unique<TrippingUplink>(second, pulls));
  run_until([&] { return count("SELECT count(*) FROM dicom_delivery") == 2; });
  run_until([&] { return rows("sending") == 0; });
  EXPECT_EQ(text("SELECT subject FROM outbox WHERE uplink = 'pacs'"), second);
  EXPECT_EQ(text("SELECT reason FROM outbox WHERE uplink = 'pacs'"), "internal error; see the log");
  EXPECT_EQ(service_->report()[std::size_t{0}]["in_flight"].integer(), 0);
  run_until([&] { return pulls > 1; });
}

TEST_F(ServiceTest, APeerThatTakesNothingHasNoSuccess) {
  store(facts("1.2", "1.2.3"), "pixels");
  start(Delivery::failed);
  run_until([&] { return sent_ >= 6; });
  const Json report = service_->report();
  EXPECT_TRUE(report[std::size_t{0}]["last_success"].is_null());
  EXPECT_EQ(report[std::size_t{0}]["state"].text(), "down");
  EXPECT_EQ(report[std::size_t{0}]["last_error"].text(), "the PACS answered 500");
}

}  // namespace
}  // namespace gateway::sync
