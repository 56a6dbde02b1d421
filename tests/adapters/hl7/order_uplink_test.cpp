// Orders on their way to a device on a real socket: each told once it is due, in order, again as it
// was where nobody answered, and never to somebody else.
#include "adapters/hl7/order_uplink.h"

#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>

#include "core/text.h"
#include "sync/service.h"
#include "tests/fakes/laboratory.h"
#include "tests/fakes/waiting.h"
#include "tests/sync/records_fixture.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using core::Json;
using fakes::await;
using fakes::field_of;
using fakes::Laboratory;
using sync::Delivery;
using sync::RowOutcome;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class OrderUplinkTest : public sync::RecordsTest {
 protected:
  void SetUp() override {
    sync::RecordsTest::SetUp();
    uplink_ = make(settings(laboratory_.port()));
  }
  void TearDown() override {
    uplink_.reset();
    sync::RecordsTest::TearDown();
  }
  static OrderUplink settings(std::uint16_t port) {
    OrderUplink made;
    made.device.name = "lab";
    made.device.filter.categories = {"108252007"};
    made.url = {false, "127.0.0.1", port, ""};
    made.patience = std::chrono::seconds(5);
    return made;
  }
  std::unique_ptr<sync::Uplink> make(OrderUplink settings) {
    return make_order_uplink(loop_.get_executor(), std::move(settings), held_,
                             core::system_clock());
  }
  static std::string order(const std::string& id, int version, const std::string& status,
                           const std::string& note = "", const std::string& category = "108252007",
                           const std::string& patient = "p1") {
    return cat(
        R"({"resourceType":"ServiceRequest","id":")", id, R"(","meta":{"versionId":")", version,
        R"("},"status":")", status,
        R"(","intent":"order","category":[{"coding":[{"system":"http://snomed.info/sct","code":")",
        category,
        R"("}]}],"code":{"coding":[{"system":"http://loinc.org","code":"2345-7"}]},)"
        R"("subject":{"reference":"Patient/)",
        patient, R"("},"note":[{"text":")", note, "\"}]}");
  }
  static std::string patient(const std::string& id, int version, const std::string& family,
                             const std::string& link = "") {
    const std::string replaced =
        cat(R"(,"link":[{"type":"replaced-by","other":{"reference":"Patient/)", link, R"("}}])");
    return cat(R"({"resourceType":"Patient","id":")", id, R"(","meta":{"versionId":")", version,
               R"("},"identifier":[{"system":"urn:oid:2.25.1","value":"N-)", id,
               R"("}],"name":[{"family":")", family, "\"}]", link.empty() ? "" : replaced, "}");
  }
  /// Looks for orders and delivers what is due, as the engine would.
  std::vector<RowOutcome> run(sync::Uplink& uplink) {
    EXPECT_EQ(await(loop_, uplink.pull()).error, "");
    auto outcomes = await(loop_, uplink.deliver(claim("lab").rows));
    for (const RowOutcome& one : outcomes) {
      sync::Verdict verdict;
      verdict.number = one.number;
      verdict.what = one.result == Delivery::delivered  ? sync::Verdict::What::done
                     : one.result == Delivery::needless ? sync::Verdict::What::drop
                     : one.result == Delivery::refused  ? sync::Verdict::What::park
                                                        : sync::Verdict::What::again;
      verdict.perhaps_sent = one.result == Delivery::lost || one.result == Delivery::failed;
      verdict.remote_version = one.remote_version;
      verdict.local_version = one.local_version;
      verdict.reason = one.reason;
      record("lab", verdict);
    }
    return outcomes;
  }
  Delivery run_one(sync::Uplink& uplink) {
    const auto outcomes = run(uplink);
    EXPECT_EQ(outcomes.size(), 1u);
    return outcomes.empty() ? Delivery::unreached : outcomes.front().result;
  }
  void order_one() {
    pull(kPatient);
    pull(order("s1", 1, "active"));
  }
  std::int64_t rows() { return count("SELECT count(*) FROM outbox WHERE uplink = 'lab'"); }

  boost::asio::io_context loop_;
  Laboratory laboratory_;
  std::unique_ptr<sync::Uplink> uplink_;
};

TEST_F(OrderUplinkTest, AnOrderIsToldChangedAndCancelledAndOthersAreNot) {
  order_one();
  pull(order("x1", 1, "active", "", "363679005"));
  pull(order("s2", 1, "draft"));
  run(*uplink_);
  EXPECT_THAT(laboratory_.controls(), ElementsAre("NW s1"));
  run(*uplink_);
  EXPECT_EQ(laboratory_.heard().size(), 1u) << "nothing is told twice";
  pull(order("s1", 2, "active", "fasting"));
  run(*uplink_);
  pull(order("s1", 3, "revoked", "no longer"));
  run(*uplink_);
  EXPECT_THAT(laboratory_.controls(), ElementsAre("NW s1", "XO s1", "CA s1"));
  EXPECT_THAT(laboratory_.heard()[1], HasSubstr("NTE|1||fasting"));
  EXPECT_THAT(laboratory_.heard()[2], HasSubstr("NTE|1||fasting")) << "as the device knows it";
  pull(order("s1", 4, "active", "fasting"));
  pull(order("s2", 2, "active"));
  run(*uplink_);
  EXPECT_THAT(laboratory_.controls(), ElementsAre("NW s1", "XO s1", "CA s1", "NW s1", "NW s2"));
  EXPECT_EQ(rows(), 0);
}

TEST_F(OrderUplinkTest, ADeletedOrderIsCancelled) {
  order_one();
  run(*uplink_);
  write([](crypto::Connection& c) -> core::Status {
    GW_CHECK(sync::delete_resource(c, {"ServiceRequest", "s1"}, "his", sync::kNow));
    return {};
  });
  run(*uplink_);
  EXPECT_THAT(laboratory_.controls(), ElementsAre("NW s1", "CA s1"));
}

TEST_F(OrderUplinkTest, APatientCorrectedOrMergedIsTold) {
  pull(patient("p1", 1, "Roe"));
  pull(order("s1", 1, "active"));
  pull(order("s2", 1, "completed"));
  run(*uplink_);
  pull(patient("p1", 2, "Row"));
  run(*uplink_);
  pull(patient("p2", 1, "Row"));
  pull(patient("p1", 3, "Row", "p2"));
  run(*uplink_);
  pull(patient("p2", 2, "Rowe"));
  run(*uplink_);
  EXPECT_THAT(laboratory_.controls(), ElementsAre("NW s1", "XO s1", "XO s1", "XO s1"));
  EXPECT_THAT(laboratory_.heard()[1], HasSubstr("PID|1||N-p1^^^&2.25.1&ISO||Row||"));
  EXPECT_THAT(laboratory_.heard()[2], HasSubstr("PID|1||N-p2^^^&2.25.1&ISO||Row||"));
  EXPECT_THAT(laboratory_.heard()[3], HasSubstr("PID|1||N-p2^^^&2.25.1&ISO||Rowe||"));
}

TEST_F(OrderUplinkTest, AnOrderThatWasAnotherPatientsIsCancelledForThatOne) {
  pull(patient("p1", 1, "Roe"));
  pull(patient("p2", 1, "Doe"));
  pull(order("s1", 1, "active"));
  run(*uplink_);
  pull(order("s1", 2, "active", "", "108252007", "p2"));
  EXPECT_EQ(run_one(*uplink_), Delivery::delivered);
  EXPECT_THAT(laboratory_.controls(), ElementsAre("NW s1", "CA s1", "NW s1"));
  EXPECT_THAT(laboratory_.heard()[1], HasSubstr("||Roe||"));
  EXPECT_THAT(laboratory_.heard()[2], HasSubstr("||Doe||"));
  EXPECT_EQ(rows(), 0);
}

TEST_F(OrderUplinkTest, ATubeDrawnLaterIsTold) {
  order_one();
  run(*uplink_);
  pull(
      R"({"resourceType":"Specimen","id":"t1","meta":{"versionId":"1"},"identifier":[{"value":"S-5"}],)"
      R"("subject":{"reference":"Patient/p1"},"request":[{"reference":"ServiceRequest/s1"}]})");
  run(*uplink_);
  EXPECT_THAT(laboratory_.controls(), ElementsAre("NW s1", "XO s1"));
  EXPECT_THAT(laboratory_.heard().at(1), HasSubstr("\rSPM|1|S-5||"));
}

TEST_F(OrderUplinkTest, AnOrderWithoutAPatientWaitsForAPersonOrForThePatient) {
  const auto stored = Json::parse(order("s1", 1, "active"));
  write([&](crypto::Connection& c) -> core::Status {
    GW_CHECK(sync::put_resource(c, {"ServiceRequest", "s1"}, *stored, "clinic", sync::kNow));
    return {};
  });
  EXPECT_EQ(run_one(*uplink_), Delivery::refused);
  EXPECT_EQ(text("SELECT state || ': ' || reason FROM outbox WHERE uplink = 'lab'"),
            "parked: names no patient that is here");
  EXPECT_TRUE(laboratory_.heard().empty());
  pull(kPatient);
  EXPECT_EQ(run_one(*uplink_), Delivery::delivered);
  EXPECT_THAT(laboratory_.controls(), ElementsAre("NW s1"));
  EXPECT_EQ(rows(), 0);
}

TEST_F(OrderUplinkTest, WhatIsStatGoesFirst) {
  order_one();
  std::string stat = order("s2", 1, "active");
  stat.replace(stat.find("\"intent\""), 0, R"("priority":"stat",)");
  pull(stat);
  run(*uplink_);
  EXPECT_THAT(laboratory_.controls(), ElementsAre("NW s2", "NW s1"));
  EXPECT_THAT(laboratory_.heard().at(0), HasSubstr("TQ1|1||||||||S\r"));
}

TEST_F(OrderUplinkTest, OtherOrdersAreItsOnceItsFilterSaysSo) {
  OrderUplink wanted = settings(laboratory_.port());
  order_one();
  pull(order("x1", 1, "active", "", "363679005"));
  run(*make(wanted));
  wanted.device.filter.categories = {"363679005"};
  run(*make(wanted));
  EXPECT_THAT(laboratory_.controls(), ElementsAre("NW s1", "CA s1", "NW x1"));
}

TEST_F(OrderUplinkTest, WhatWasCancelledBeforeTheDeviceHeardOfItIsNotTold) {
  order_one();
  EXPECT_EQ(await(loop_, uplink_->pull()).applied, 1);
  pull(order("s1", 2, "revoked"));
  EXPECT_EQ(run_one(*uplink_), Delivery::needless);
  EXPECT_TRUE(laboratory_.heard().empty());
  EXPECT_EQ(rows(), 0);
}

TEST_F(OrderUplinkTest, WhatWasNotAnsweredGoesAgainAsItWasAndThenWhatBecameOfIt) {
  laboratory_.will_say({"hang up"});
  order_one();
  EXPECT_EQ(run_one(*uplink_), Delivery::lost);
  EXPECT_EQ(rows(), 1);
  pull(order("s1", 2, "active", "fasting"));
  EXPECT_EQ(run_one(*uplink_), Delivery::delivered);
  EXPECT_THAT(laboratory_.controls(), ElementsAre("NW s1", "NW s1", "XO s1"));
  const auto heard = laboratory_.heard();
  EXPECT_EQ(heard[0], heard[1]);
  EXPECT_NE(field_of(heard[1], "MSH", 10), field_of(heard[2], "MSH", 10));
  EXPECT_THAT(heard[2], HasSubstr("NTE|1||fasting"));
  EXPECT_EQ(rows(), 0);
}

TEST_F(OrderUplinkTest, ACancellationThatWasNotAnsweredComesBeforeTheOrderIsNewAgain) {
  laboratory_.will_say({"AA", "hang up"});
  order_one();
  run(*uplink_);
  pull(order("s1", 2, "on-hold"));
  EXPECT_EQ(run_one(*uplink_), Delivery::lost);
  pull(order("s1", 3, "active"));
  EXPECT_EQ(run_one(*uplink_), Delivery::delivered);
  EXPECT_THAT(laboratory_.controls(), ElementsAre("NW s1", "CA s1", "CA s1", "NW s1"));
}

TEST_F(OrderUplinkTest, WhatPerhapsArrivedIsCancelledToo) {
  laboratory_.will_say({"hang up"});
  order_one();
  EXPECT_EQ(run_one(*uplink_), Delivery::lost);
  pull(order("s1", 2, "revoked"));
  EXPECT_EQ(run_one(*uplink_), Delivery::delivered);
  EXPECT_THAT(laboratory_.controls(), ElementsAre("NW s1", "NW s1", "CA s1"));
}

TEST_F(OrderUplinkTest, AfterAPowerCutTheSameMessageGoesAgain) {
  laboratory_.will_say({"hang up"});
  order_one();
  await(loop_, uplink_->pull());
  await(loop_, uplink_->deliver(claim("lab").rows));
  uplink_.reset();
  open();
  write([](crypto::Connection& c) { return sync::release_claims(c); });
  uplink_ = make(settings(laboratory_.port()));
  EXPECT_EQ(run_one(*uplink_), Delivery::delivered);
  const auto heard = laboratory_.heard();
  ASSERT_EQ(heard.size(), 2u);
  EXPECT_EQ(heard[0], heard[1]);
  EXPECT_EQ(rows(), 0);
}

TEST_F(OrderUplinkTest, AMessageTheDeviceChokesOnDoesNotHoldUpTheOthers) {
  laboratory_.will_choke_on("poison");
  pull(kPatient);
  pull(order("s1", 1, "active", "poison"));
  pull(order("s2", 1, "active"));
  EXPECT_EQ(run(*uplink_).at(0).result, Delivery::lost) << "it may be the line";
  EXPECT_EQ(run_one(*uplink_), Delivery::failed) << "it is the order";
  EXPECT_THAT(laboratory_.controls(), ElementsAre("NW s1", "NW s2", "NW s1"));
}

TEST_F(OrderUplinkTest, AnErrorIsTriedAgainAndARefusalWaitsForAPersonUntilTheOrderIsCorrected) {
  laboratory_.will_say({"AE", "AR", "AA\rORC|UA|s1"});
  order_one();
  const RowOutcome failed = run(*uplink_).at(0);
  EXPECT_EQ(failed.result, Delivery::failed);
  EXPECT_EQ(failed.reason, "the device answered AE");
  EXPECT_EQ(failed.peers_words, "the device answered AE: says Roe");
  EXPECT_EQ(run_one(*uplink_), Delivery::refused);
  EXPECT_EQ(text("SELECT state FROM outbox WHERE uplink = 'lab'"), "parked");
  EXPECT_TRUE(run(*uplink_).empty()) << "parked";
  pull(order("s1", 2, "active", "corrected"));
  const RowOutcome unable = run(*uplink_).at(0);
  EXPECT_EQ(unable.result, Delivery::refused);
  EXPECT_EQ(unable.reason, "the device answered AA, ORC-1 UA");
  EXPECT_EQ(rows(), 1);
  pull(order("s1", 3, "active", "corrected again"));
  EXPECT_EQ(run_one(*uplink_), Delivery::delivered);
  EXPECT_EQ(rows(), 0) << "what was refused before is done with";
  const auto heard = laboratory_.heard();
  EXPECT_NE(field_of(heard[0], "MSH", 10), field_of(heard[1], "MSH", 10))
      << "what was answered is not repeated but said anew";
}

TEST_F(OrderUplinkTest, WhatWasRefusedAndThenCancelledWaitsForNobody) {
  laboratory_.will_say({"AR"});
  order_one();
  EXPECT_EQ(run_one(*uplink_), Delivery::refused);
  pull(order("s1", 2, "revoked"));
  EXPECT_TRUE(run(*uplink_).empty());
  EXPECT_EQ(rows(), 0);
  EXPECT_EQ(laboratory_.heard().size(), 1u);
}

TEST_F(OrderUplinkTest, WhereNobodyListensNothingIsSent) {
  std::uint16_t port = 0;
  {
    Laboratory gone;
    port = gone.port();
  }
  const auto uplink = make(settings(port));
  order_one();
  EXPECT_EQ(run_one(*uplink), Delivery::unreached);
  EXPECT_EQ(count("SELECT count(*) FROM told_order"), 0);
  EXPECT_EQ(rows(), 1);
}

TEST_F(OrderUplinkTest, UnderTlsOnlyWhoIsTrustedIsTold) {
  const fakes::TestFolder folder;
  const fakes::TestCa ca(folder, "ca");
  const fakes::TestCa other(folder, "other");
  Laboratory laboratory({.certificate = ca.issue({.name = "lab", .addresses = {"127.0.0.1"}})});
  order_one();
  OrderUplink secure = settings(laboratory.port());
  secure.url.tls = true;
  secure.tls = core::net::TlsIdentity{"127.0.0.1", other.file(), "", ""};
  const RowOutcome refused = run(*make(secure)).at(0);
  EXPECT_EQ(refused.result, Delivery::unreached);
  EXPECT_THAT(refused.reason, HasSubstr("not trusted by"));
  EXPECT_THAT(laboratory.heard(), ElementsAre());
  secure.tls->ca_file = ca.file();
  EXPECT_EQ(run(*make(secure)).at(0).result, Delivery::delivered);
  EXPECT_THAT(laboratory.controls(), ElementsAre("NW s1"));
}

TEST_F(OrderUplinkTest, TheRealEngineTellsWhatCameBeforeAndAfterItBegan) {
  order_one();
  std::vector<std::unique_ptr<sync::Uplink>> uplinks;
  uplinks.push_back(make(settings(laboratory_.port())));
  const auto service = sync::SyncService::create(loop_.get_executor(), held_, std::move(uplinks),
                                                 core::system_clock());
  service->start();
  fakes::run_until(loop_, [&] { return laboratory_.heard().size() == 1 && rows() == 0; });
  pull(order("s1", 2, "revoked"));
  fakes::run_until(loop_, [&] { return laboratory_.heard().size() == 2 && rows() == 0; });
  EXPECT_THAT(laboratory_.controls(), ElementsAre("NW s1", "CA s1"));
  service->stop();
  loop_.restart();
  loop_.run();
}

}  // namespace
}  // namespace gateway::adapters::hl7
