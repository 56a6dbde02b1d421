// An analyzer asks what to do with a tube, on a real socket: it hears it in the answer, or is
// called and told. Never of somebody else, never what is over.
#include "adapters/hl7/work_order.h"

#include <gmock/gmock.h>

#include "adapters/hl7/hl7_server.h"
#include "core/text.h"
#include "tests/fakes/device_line.h"
#include "tests/fakes/laboratory.h"
#include "tests/fakes/waiting.h"
#include "tests/sync/records_fixture.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using core::Json;
using fakes::DeviceLine;
using fakes::eventually;
using fakes::field_of;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

/// What a query's answer says, without what is another each time.
std::string told(const std::string& answer) { return answer.substr(answer.find("\rMSA|")); }

class WorkOrders : public sync::RecordsTest {
 protected:
  void SetUp() override {
    sync::RecordsTest::SetUp();
    door_.open(held_);
    device_.profile.name = "chem";
    device_.profile.patient_id_issuer = sync::kIssuer;
    device_.profile.specimen_id_issuer = "urn:example:tubes";
    device_.listener.name = "chem";
    device_.listener.bind = "127.0.0.1";
    for (const char* id : {"p1", "p2"}) {
      put("Patient", id,
          cat(R"("identifier":[{"system":"urn:oid:2.25.1","value":"N-)", id,
              R"("}],"name":[{"family":"Roe","given":["Jane"]}],"gender":"female")"));
    }
  }
  void TearDown() override {
    server_.reset();
    door_.close();
    sync::RecordsTest::TearDown();
  }
  void serve() {
    server_ = Hl7Server::create({device_}, door_, core::system_clock());
    ASSERT_TRUE(server_->start().ok());
  }
  /// With work orders brought to that port.
  void serve_law(std::uint16_t port) {
    device_.orders.emplace();
    device_.orders->url = {false, "127.0.0.1", port, ""};
    serve();
  }
  void put(const std::string& type, const std::string& id, const std::string& more) {
    const auto body =
        Json::parse(cat(R"({"resourceType":")", type, R"(","id":")", id, "\",", more, "}"));
    ASSERT_TRUE(body.ok()) << more;
    write([&](crypto::Connection& c) -> core::Status {
      GW_CHECK(sync::put_resource(c, {type, id}, *body, "his", sync::kNow));
      return {};
    });
  }
  void put_order(const std::string& id, const std::string& tube, const std::string& patient = "p1",
                 const std::string& status = "active", const std::string& more = kGlucose) {
    put_order_of(
        id, cat(R"({"type":{"coding":[{"code":"PLAC"}]},"value":"O-)", id, R"("},)", of_tube(tube)),
        patient, status, more);
  }
  void put_order_of(const std::string& id, const std::string& identifiers,
                    const std::string& patient = "p1", const std::string& status = "active",
                    const std::string& more = kGlucose) {
    put("ServiceRequest", id,
        cat(R"("identifier":[)", identifiers, R"(],"status":")", status,
            R"(","intent":"order","priority":"stat",)", more, R"("subject":{"reference":"Patient/)",
            patient, R"("})"));
  }
  static std::string of_tube(const std::string& number) {
    return cat(R"({"system":"urn:example:tubes","value":")", number, R"("})");
  }
  static constexpr char kGlucose[] =
      R"("code":{"coding":[{"system":"http://loinc.org","code":"2345-7","display":"Glucose"}]},)";
  static std::string query(std::string_view parameters, std::string_view control_id = "77",
                           std::string_view event = "Q11") {
    return cat("\x0bMSH|^~\\&|chem|Lab|Host|Clinic|20260301101500+0100||QBP^", event, "^QBP_Q11|",
               control_id, "|P|2.5.1|||NE|AL||UNICODE UTF-8|||LAB-27^IHE\rQPD|", parameters,
               "\rRCP|I||R^^HL70394\r\x1c\r");
  }
  std::string ask(const std::string& bytes) {
    DeviceLine line(server_->port("chem"));
    line.say(bytes);
    return line.hear("\x1c\r");
  }
  std::string dead() {
    return text("SELECT group_concat(state || ': ' || reason) FROM message WHERE state = 'dead'");
  }
  std::int64_t messages() { return count("SELECT count(*) FROM message"); }

  sync::HoldingsDoor door_;
  Hl7Device device_;
  std::unique_ptr<Hl7Server> server_;
};

constexpr std::string_view kT1 = "WOS^Work Order Step^IHE_LABTF|q7|T1";
constexpr std::string_view kT9 = "WOS^Work Order Step^IHE_LABTF|q9|T9";

TEST_F(WorkOrders, AreInTheAnswerWhereNoOtherWayIsKnown) {
  put_order("s1", "T1");
  put("Specimen", "t1",
      R"("identifier":[{"system":"urn:example:tubes","value":"T1"}],"type":{"coding":[{"code":"SER"}]},)"
      R"("collection":{"collectedDateTime":"2026-03-01T09:00:00Z"},"subject":{"reference":"Patient/p1"})");
  serve();
  const std::string answer = ask(query(kT1, "77", "WOS"));
  EXPECT_THAT(answer, HasSubstr("||RSP^WOS^RSP_K11|"));
  EXPECT_THAT(told(answer),
              HasSubstr("\rMSA|AA|77\rQAK|q7|OK|WOS^Work Order Step^IHE_LABTF\r"
                        "QPD|WOS^Work Order Step^IHE_LABTF|q7|T1\r"
                        "PID|1||N-p1^^^&2.25.1&ISO||Roe^Jane|||F\r"
                        "SPM|1|T1||SER|||||||P^^HL70369||||||20260301090000+0000\rSAC|||T1\r"
                        "ORC|NW|O-s1|||||||"));
  EXPECT_THAT(told(answer), EndsWith("\rTQ1|||||||||S^^HL70485\rOBR|1|O-s1||2345-7^Glucose^LN\r"
                                     "TCD|2345-7^Glucose^LN\r\x1c\r"));
  EXPECT_THAT(ask(query(kT1, "78")), HasSubstr("||RSP^K11^RSP_K11|"));
  EXPECT_EQ(count("SELECT count(*) FROM message WHERE state = 'stored'"), 2);
}

TEST_F(WorkOrders, ATubeNobodyKnowsIsNoError) {
  put_order("s1", "T1");
  serve();
  const std::string answer = told(ask(query(kT9)));
  EXPECT_THAT(answer, HasSubstr("\rMSA|AA|77\rQAK|q9|NF|"));
  EXPECT_THAT(answer, Not(HasSubstr("SPM|")));
  EXPECT_EQ(count("SELECT count(*) FROM message WHERE state = 'dead'"), 0);
}

TEST_F(WorkOrders, AllAreToldOfWhoAsksForAll) {
  const auto authored = [](std::string_view day) {
    return cat(kGlucose, R"("authoredOn":"2026-03-)", day, R"(T09:00:00Z",)");
  };
  put_order("s1", "T1", "p1", "active", authored("01"));
  put_order("s2", "T2", "p2", "active", authored("02"));
  put_order("s3", "T3");
  put_order("s4", "T3", "p2");
  put_order("s5", "T5", "p1", "completed");
  serve();
  const std::string answer = ask(query("WOS_ALL^Work Order Step All^IHELAW|q1"));
  // The newest order's first, and each a number of its own.
  EXPECT_THAT(answer, HasSubstr("PID|1||N-p2^^^&2.25.1&ISO||Roe^Jane|||F\rSPM|1|T2|"));
  EXPECT_THAT(answer, HasSubstr("PID|2||N-p1^^^&2.25.1&ISO||Roe^Jane|||F\rSPM|2|T1|"));
  EXPECT_THAT(answer, HasSubstr("\rSAC|||T1\r"));
  EXPECT_THAT(answer, Not(HasSubstr("T3"))) << "of two patients";
  EXPECT_THAT(answer, Not(HasSubstr("T5")));
}

TEST_F(WorkOrders, ANumberOfTwoPatientsIsAnErrorAndALetter) {
  put_order("s1", "T1");
  put_order("s2", "T1", "p2");
  fakes::Laboratory analyzer;
  serve_law(analyzer.port());
  const std::string answer = told(ask(query(kT1)));
  EXPECT_THAT(answer, HasSubstr("\rMSA|AE|77|the specimen's number is of several patients\r"
                                "ERR||QPD^1^3|207|E||||the specimen's number is of several"));
  EXPECT_THAT(answer, HasSubstr("\rQAK|q7|AE|"));
  EXPECT_THAT(answer, Not(HasSubstr("PID|")));
  EXPECT_EQ(dead(), "dead: the specimen's number is of several patients");
  // One that may be told goes out behind it, and was not held up by anything of the other.
  put_order("s9", "T9");
  ask(query(kT9, "79"));
  ASSERT_TRUE(eventually([&] { return !analyzer.heard().empty(); }));
  EXPECT_THAT(analyzer.controls(), ElementsAre("NW O-s9"));
}

TEST_F(WorkOrders, ALetterSaysItOnceForEachTube) {
  for (const char* tube : {"T1", "T9"}) {
    put_order(cat(tube, "a"), tube);
    put_order(cat(tube, "b"), tube, "p2");
  }
  serve();
  for (const char* id : {"1", "2", "3"})
    EXPECT_THAT(told(ask(query(kT1, id))), HasSubstr("\rMSA|AE|"));
  EXPECT_EQ(count("SELECT count(*) FROM message WHERE state = 'dead'"), 1);
  EXPECT_EQ(messages(), 3) << "each is kept";
  ask(query(kT9, "4"));
  EXPECT_EQ(count("SELECT count(*) FROM message WHERE state = 'dead'"), 2);
  // Once a person has looked at it, it is news again.
  write([](crypto::Connection& c) { return c.run("UPDATE message SET state = 'stored'"); });
  ask(query(kT1, "5"));
  EXPECT_EQ(count("SELECT count(*) FROM message WHERE state = 'dead'"), 1);
}

TEST_F(WorkOrders, ATubesNumberOfAnotherIssuerIsAnotherTubes) {
  put_order("s1", "T1");
  serve();
  const std::string_view name = "WOS^Work Order Step^IHE_LABTF|q7|";
  EXPECT_THAT(told(ask(query(cat(name, "T1^LAB^1.2.3^ISO"), "1"))),
              HasSubstr("\rERR||QPD^1^3|207|E||||the container's number (QPD-3) is of another "
                        "issuer than device.chem.specimen_id_issuer\r"));
  EXPECT_THAT(told(ask(query(cat(name, "T1^^urn:example:tubes^URI"), "2"))), HasSubstr("|O-s1|"));
  EXPECT_THAT(told(ask(query(cat(name, "T1^LAB"), "3"))), HasSubstr("|O-s1|"));
}

TEST_F(WorkOrders, WithoutANumberOfItsOwnAnOrderIsKnownByItsId) {
  put_order_of("s1", of_tube("T1"));
  put_order_of("s2", of_tube("T1"));
  serve();
  const std::string answer = told(ask(query(kT1)));
  EXPECT_THAT(answer, HasSubstr("\rORC|NW|s1^^urn:clinic-gateway:resource-id^URI|"));
  EXPECT_THAT(answer, HasSubstr("\rOBR|1|s1^^urn:clinic-gateway:resource-id^URI||2345-7^"));
  EXPECT_THAT(answer, HasSubstr("\rOBR|2|s2^^urn:clinic-gateway:resource-id^URI||2345-7^"));
}

TEST_F(WorkOrders, ThatShareANumberHaveEachTheirOwnInObr) {
  const std::string group = R"({"type":{"coding":[{"code":"PLAC"}]},"system":"urn:oid:1.2.)";
  put_order_of("s1", cat(group, R"(3","value":"G1"},)", of_tube("T1")));
  // Analyzers keep the first component.
  put_order_of("s2", cat(group, R"(4","value":"G1"},)", of_tube("T1")));
  put_order_of("s3", cat(group, R"(4","value":"G2"},)", of_tube("T1")));
  serve();
  const std::string answer = told(ask(query(kT1)));
  EXPECT_THAT(answer, HasSubstr("\rORC|NW|G1^^1.2.3^ISO|"));
  EXPECT_THAT(answer, HasSubstr("\rOBR|1|s1^^urn:clinic-gateway:resource-id^URI||"));
  EXPECT_THAT(answer, HasSubstr("\rORC|NW|G1^^1.2.4^ISO|"));
  EXPECT_THAT(answer, HasSubstr("\rOBR|2|s2^^urn:clinic-gateway:resource-id^URI||"));
  EXPECT_THAT(answer, HasSubstr("\rOBR|3|G2^^1.2.4^ISO||"));
}

TEST_F(WorkOrders, ThatNameNoTestAreNotTold) {
  put_order("s1", "T1", "p1", "active", "");
  put_order("s9", "T9", "p1", "active", "");
  put_order("s2", "T1");
  serve();
  const std::string answer = told(ask(query(kT1)));
  EXPECT_THAT(answer, HasSubstr("\rOBR|1|O-s2||2345-7^"));
  EXPECT_THAT(answer, Not(HasSubstr("O-s1")));
  EXPECT_THAT(told(ask(query(kT9))), HasSubstr("\rMSA|AE|77|the orders of the specimen name no"));
}

TEST_F(WorkOrders, AQuerySentAgainHearsTheSameUntilTheOrderIsCancelled) {
  put_order("s1", "T1");
  serve();
  const auto without_time = [](std::string answer) {
    for (auto at = answer.find("|20"); at != answer.npos; at = answer.find("|20"))
      answer.erase(at, answer.find_first_of("|\r", at + 1) - at);
    return told(answer);
  };
  const std::string first = ask(query(kT1));
  EXPECT_EQ(without_time(ask(query(kT1))), without_time(first));
  EXPECT_EQ(messages(), 1) << "it is kept once";
  put_order("s1", "T1", "p1", "revoked");
  EXPECT_THAT(told(ask(query(kT1))), HasSubstr("\rQAK|q7|NF|"));
}

TEST_F(WorkOrders, AMalformedQueryIsRefusedAndKept) {
  serve();
  EXPECT_THAT(told(ask(query("WOS^Work Order Step^IHE_LABTF|q7||R5|3", "1"))),
              HasSubstr("\rERR||QPD^1^3|101|E||||the query names no container"));
  EXPECT_THAT(told(ask(query("Z34^History^CDCPHINVS|q8|T1", "2"))),
              HasSubstr("\rMSA|AR|2|of queries only WOS and WOS_ALL are answered"));
  EXPECT_EQ(count("SELECT count(*) FROM message WHERE state = 'dead'"), 2);
}

TEST_F(WorkOrders, ADeviceWhoseTubesHaveNoIssuerIsToldNothing) {
  put_order("s1", "T1");
  device_.profile.specimen_id_issuer.clear();
  serve();
  EXPECT_THAT(told(ask(query(kT1))), HasSubstr("set device.chem.specimen_id_issuer"));
  EXPECT_THAT(told(ask(query("WOS_ALL|q", "78"))), HasSubstr("\rMSA|AE|78|"));
}

TEST_F(WorkOrders, WhileLockedTheDeviceAsksAgainLater) {
  put_order("s1", "T1");
  serve();
  door_.close();
  EXPECT_THAT(told(ask(query(kT1))), HasSubstr("\rMSA|AE|77|the gateway is locked"));
  door_.open(held_);
  EXPECT_THAT(told(ask(query(kT1))), HasSubstr("\rQAK|q7|OK|"));
  EXPECT_EQ(messages(), 1);
}

TEST_F(WorkOrders, OfLawAreBroughtToTheAnalyzer) {
  put_order("s1", "T1");
  put_order("s2", "T1");
  fakes::Laboratory analyzer;
  serve_law(analyzer.port());
  const std::string answer = told(ask(query(kT1)));
  EXPECT_THAT(answer, HasSubstr("\rMSA|AA|77\rQAK|q7|OK|"));
  EXPECT_THAT(answer, Not(HasSubstr("ORC|")));
  ASSERT_TRUE(eventually([&] { return analyzer.heard().size() == 1; }));
  const std::string brought = analyzer.heard().front();
  EXPECT_THAT(brought, HasSubstr("\x0bMSH|^~\\&|clinic-gateway||chem|Lab|"));
  EXPECT_THAT(brought, HasSubstr("||OML^O33^OML_O33|"));
  EXPECT_THAT(brought, HasSubstr("|P|2.5.1|||NE|AL||UNICODE UTF-8|||LAB-28^IHE\rPID|1||N-p1^"));
  EXPECT_THAT(brought, HasSubstr("\rSAC|||T1\rORC|NW|O-s1|"));
  EXPECT_THAT(brought, HasSubstr("\rORC|NW|O-s2|"));
  EXPECT_THAT(brought, HasSubstr("\rOBR|2|O-s2||2345-7^Glucose^LN\rTCD|2345-7^Glucose^LN\r\x1c\r"));
  // Orders in the answer are LDA's, of the same device too.
  EXPECT_THAT(ask(query(kT1, "79", "WOS")), HasSubstr("\rORC|NW|O-s1|"));
}

TEST_F(WorkOrders, OfLawThatThereAreNoneIsBroughtToo) {
  fakes::Laboratory analyzer;
  serve_law(analyzer.port());
  EXPECT_THAT(told(ask(query(kT9))), HasSubstr("\rQAK|q9|OK|"));
  ASSERT_TRUE(eventually([&] { return analyzer.heard().size() == 1; }));
  const std::string brought = analyzer.heard().front();
  EXPECT_THAT(brought, HasSubstr("\rSPM|1||||||||||U^^HL70369\rSAC|||T9\rORC|DC||||||||20"));
  EXPECT_THAT(brought, Not(HasSubstr("OBR|")));
  EXPECT_THAT(brought, Not(HasSubstr("PID|")));
}

TEST_F(WorkOrders, OfLawThatDoNotGetThroughAreToldToWhoAsksAgain) {
  put_order("s1", "T1");
  fakes::Laboratory analyzer;
  analyzer.will_say({"hang up", "AE", "AA\rORC|UA|O-s1"});
  serve_law(analyzer.port());
  for (std::size_t i = 1; i <= 4; ++i) {
    EXPECT_THAT(told(ask(query(kT1, cat("7", i)))), HasSubstr("\rQAK|q7|OK|"));
    ASSERT_TRUE(eventually([&] { return analyzer.heard().size() == i; })) << i;
  }
  EXPECT_THAT(analyzer.controls(), ElementsAre("NW O-s1", "NW O-s1", "NW O-s1", "NW O-s1"));
}

TEST_F(WorkOrders, OfLawThatWaitAreToldAsTheyAreWhenTheirTurnComes) {
  put_order("s1", "T1");
  put_order("s2", "T2");
  put_order("s3", "T3");
  std::uint16_t port = 0;
  const int listener = fakes::listen_on_loopback(port);
  serve_law(port);
  for (const char* tube : {"T1", "T2", "T3"})
    EXPECT_THAT(told(ask(query(cat("WOS|q|", tube), tube))), HasSubstr("\rQAK|q|OK|"));
  // It is slow with its answer to the first, and meanwhile much happens.
  const auto heard_by = [](DeviceLine& line) { return line.hear("\x1c\r"); };
  const auto take = [](DeviceLine& line, const std::string& message) {
    line.say(cat("\x0bMSH|^~\\&|chem||GW||20260301||ORL^O34|1|P|2.5.1\rMSA|AA|",
                 field_of(message, "MSH", 10), "\r\x1c\r"));
  };
  DeviceLine first = DeviceLine::called(listener);
  const std::string one = heard_by(first);
  EXPECT_THAT(one, HasSubstr("\rORC|NW|O-s1|"));
  put_order("s2", "T2", "p1", "revoked");
  put_order("s3", "T3", "p2");
  take(first, one);
  DeviceLine second = DeviceLine::called(listener);
  const std::string two = heard_by(second);
  EXPECT_THAT(two, HasSubstr("\rSAC|||T2\rORC|DC|"));
  take(second, two);
  DeviceLine third = DeviceLine::called(listener);
  const std::string three = heard_by(third);
  EXPECT_THAT(three, HasSubstr("\rPID|1||N-p2^"));
  take(third, three);
  ::close(listener);
}

TEST_F(WorkOrders, AnAnalyzerThatNeverAnswersDoesNotHoldUpTheStop) {
  put_order("s1", "T1");
  std::uint16_t port = 0;
  const int nobody = fakes::listen_on_loopback(port);
  serve_law(port);
  for (const char* id : {"1", "2"}) ask(query(kT1, id));
  DeviceLine line = DeviceLine::called(nobody);
  EXPECT_THAT(line.hear("\x1c\r"), HasSubstr("\rORC|NW|O-s1|"));
  const auto before = std::chrono::steady_clock::now();
  server_->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(10));
  ::close(nobody);
  ASSERT_TRUE(server_->start().ok()) << "and it may begin again";
  EXPECT_THAT(told(ask(query(kT1, "3"))), HasSubstr("\rQAK|q7|OK|"));
}

}  // namespace
}  // namespace gateway::adapters::hl7
