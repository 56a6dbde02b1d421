#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <optional>
#include <vector>

#include "core/net/mqtt_session.h"
#include "tests/fakes/certificates.h"
#include "tests/fakes/mosquitto_broker.h"
#include "tests/fakes/tcp_relay.h"
#include "tests/fakes/tls_server.h"
#include "tests/fakes/waiting.h"

namespace {
std::atomic<bool> dns_is_silent{false};
std::atomic<int> lookups{0};
}  // namespace

// Before the C library's, for every library of this program: a DNS that does not answer.
extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints,
                           addrinfo** found) {
  using Original = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto original = reinterpret_cast<Original>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  ++lookups;
  dns_is_silent.wait(true);
  const int code = original(node, service, hints, found);
  --lookups;
  return code;
}

namespace gateway::core::net {
namespace {

using fakes::eventually;
using fakes::MosquittoWitness;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

constexpr char topic[] = "clinic/box-1/status";

class MqttSessionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fakes::MosquittoBroker::installed()) GTEST_SKIP() << "mosquitto is not installed";
  }
  fakes::CertificateFiles good_certificate() const {
    return ca.issue({.name = "broker", .dns_names = {"localhost"}, .addresses = {"127.0.0.1"}});
  }
  void connect_to(std::uint16_t port) {
    options.port = port;
    auto started = MqttSession::start(options, system_clock());
    ASSERT_TRUE(started.ok()) << started.error().message();
    session = std::move(*started);
  }
  bool connected(std::uint64_t times = 1) const {
    return eventually(
        [&] { return session->state().connected && session->state().connects >= times; });
  }
  bool fails_with(const std::string& text) const {
    return eventually([&] { return session->state().last_error.find(text) != std::string::npos; });
  }
  static MqttOptions quick_options(const std::string& ca_file) {
    MqttOptions options;
    options.host = "127.0.0.1";
    options.client_id = "box-1";
    options.ca_file = ca_file;
    options.will_topic = topic;
    options.will_payload = "gone";
    options.backoff_min = 20ms;
    options.backoff_max = 100ms;
    return options;
  }

  fakes::TestFolder folder;
  fakes::TestCa ca{folder, "broker-ca"};
  fakes::MosquittoBroker broker{folder};
  MqttOptions options = quick_options(ca.file());
  std::unique_ptr<MqttSession> session;
};

TEST_F(MqttSessionTest, PublishesRetainedStatusWithTheLatestValue) {
  broker.start(ca, good_certificate());
  connect_to(broker.port());
  session->set_retained(topic, "starting");
  session->set_retained(topic, "online");
  ASSERT_TRUE(connected());
  EXPECT_EQ(session->state().last_error, "");
  MosquittoWitness live(broker, ca, topic, 10);
  std::optional<std::string> seen = live.next();
  while (seen && *seen != "0 online" && *seen != "1 online") seen = live.next();
  ASSERT_TRUE(seen);
  // Somebody who comes later sees it as well.
  MosquittoWitness late(broker, ca, topic, 1);
  EXPECT_EQ(late.next(), "1 online");
}

TEST_F(MqttSessionTest, ACutConnectionIsMetByTheWillAndThenByTheStatusAgain) {
  broker.start(ca, good_certificate());
  fakes::TcpRelay relay(broker.port());
  connect_to(relay.port());
  session->set_retained(topic, "online");
  ASSERT_TRUE(connected());
  MosquittoWitness witness(broker, ca, topic, 4);
  std::optional<std::string> seen = witness.next();
  while (seen && !seen->ends_with("online")) seen = witness.next();
  ASSERT_TRUE(seen);

  relay.cut();
  EXPECT_EQ(witness.next(), "0 gone");
  EXPECT_EQ(witness.next(), "0 online");
  EXPECT_TRUE(connected(2));
}

TEST_F(MqttSessionTest, EachAttemptHasAWillOfItsOwnWhereItIsAskedForOne) {
  std::atomic<int> wills{0};
  options.next_will = [&] { return "gone " + std::to_string(++wills); };
  options.will_retained = false;
  broker.start(ca, good_certificate());
  fakes::TcpRelay relay(broker.port());
  connect_to(relay.port());
  session->set_retained(topic, "online");
  ASSERT_TRUE(connected());
  MosquittoWitness witness(broker, ca, topic, 6);
  std::optional<std::string> seen = witness.next();
  while (seen && !seen->ends_with("online")) seen = witness.next();
  for (std::uint64_t session_number = 2; session_number <= 3; ++session_number) {
    const int present = wills;
    relay.cut();
    EXPECT_EQ(witness.next(), "0 gone " + std::to_string(present));
    EXPECT_EQ(witness.next(), "0 online");
    ASSERT_TRUE(connected(session_number));
    EXPECT_GT(wills, present);
  }
  session.reset();  // before what it asks for its wills
}

TEST_F(MqttSessionTest, AnEndInOrderPublishesTheLastValueAndNoWill) {
  broker.start(ca, good_certificate());
  connect_to(broker.port());
  session->set_retained(topic, "online");
  ASSERT_TRUE(connected());
  for (int i = 0; i < 100; ++i) session->set_retained("clinic/box-1/n/" + std::to_string(i), "x");
  session->set_retained(topic, "stopped");
  session.reset();
  MosquittoWitness witness(broker, ca, topic, 1);
  EXPECT_EQ(witness.next(), "1 stopped");
  MosquittoWitness last(broker, ca, "clinic/box-1/n/99", 1);
  EXPECT_EQ(last.next(), "1 x");
}

TEST_F(MqttSessionTest, WhatIsSentOnceIsAnsweredWithWhetherTheBrokerHasIt) {
  std::atomic<int> taken{0};
  std::atomic<int> left{0};
  const auto note = [&](bool was_taken) { ++(was_taken ? taken : left); };
  connect_to(broker.port());
  session->send(topic, "nobody is there", /*retained=*/false, note);
  EXPECT_EQ(left, 1);
  broker.start(ca, good_certificate());
  session->set_retained(topic, "online");
  ASSERT_TRUE(connected());
  MosquittoWitness witness(broker, ca, topic, 3);
  // The witness subscribes in its own time: it is there once it hears something.
  EXPECT_THAT(witness.next().value_or(""), HasSubstr("online"));
  session->send(topic, "first", /*retained=*/false, note);
  EXPECT_EQ(witness.next(), "0 first");
  EXPECT_TRUE(eventually([&] { return taken == 1; }));
  session->send_unacknowledged(topic, "second", note);
  EXPECT_EQ(witness.next(), "0 second");
  EXPECT_TRUE(eventually([&] { return taken == 2; }));
  broker.stop();
  ASSERT_TRUE(eventually([&] { return !session->state().connected; }));
  bool was_taken = true;
  session->send(topic, "too late", /*retained=*/false, [&](bool answer) { was_taken = answer; });
  EXPECT_FALSE(was_taken);
  was_taken = true;
  session->send_unacknowledged(topic, "too late", [&](bool answer) { was_taken = answer; });
  EXPECT_FALSE(was_taken);
  session.reset();
}

TEST_F(MqttSessionTest, WhatComesOnTheSubscriptionIsHandedOnAlsoAfterTheBrokerWasAway) {
  std::mutex mutex;
  std::vector<std::string> heard;
  options.subscriptions = {"clinic/box-1/command", "clinic/box-1/other"};
  options.on_message = [&](MqttMessage message) {
    const std::lock_guard lock(mutex);
    heard.push_back(std::move(message.payload));
  };
  const auto hears = [&](const std::string& payload) {
    return eventually([&] {
      const std::lock_guard lock(mutex);
      return std::ranges::count(heard, payload) > 0;
    });
  };
  connect_to(broker.port());
  for (int round = 1; round <= 2; ++round) {
    broker.start(ca, good_certificate());
    ASSERT_TRUE(connected(static_cast<std::uint64_t>(round)));
    // Retained: it is there whenever the subscription is.
    const std::string payload = "round " + std::to_string(round);
    session->send("clinic/box-1/command", std::string(20'000, 'x'), /*retained=*/false,
                  [](bool) {});
    session->send("clinic/box-1/command", payload, /*retained=*/true, [](bool) {});
    EXPECT_TRUE(hears(payload));
    session->send("clinic/box-1/other", "other " + payload, /*retained=*/true, [](bool) {});
    EXPECT_TRUE(hears("other " + payload));
    broker.stop();
    ASSERT_TRUE(eventually([&] { return !session->state().connected; }));
  }
  session.reset();
  for (const std::string& payload : heard) EXPECT_LT(payload.size(), 20'000u);
}

TEST_F(MqttSessionTest, WhatIsNotTakenComesAgainUnderItsPacketId) {
  broker.start(ca, good_certificate());
  std::atomic<bool> refuses{true};
  std::atomic<int> refused{0};
  std::mutex guard;
  std::vector<MqttMessage> heard;
  options.client_id = "box-1-devices";
  options.will_topic.clear();
  options.filters = {"sensors/+/t"};
  options.message_bytes_max = 8U << 10;
  options.take = [&](const MqttMessage& message) -> Status {
    const std::lock_guard lock(guard);
    heard.push_back(message);
    if (!refuses) return {};
    ++refused;
    return Error(Code::locked, "the gateway is locked");
  };
  const auto count = [&] {
    const std::lock_guard lock(guard);
    return heard.size();
  };
  connect_to(broker.port());
  ASSERT_TRUE(connected());
  MqttOptions speaking = quick_options(ca.file());
  speaking.client_id = "sensor";
  speaking.port = broker.port();
  auto sensor = MqttSession::start(speaking, system_clock());
  ASSERT_TRUE(sensor.ok());
  ASSERT_TRUE(eventually([&] { return (*sensor)->state().connected; }));
  std::atomic<int> sent{0};
  const auto say = [&](const std::string& payload) {
    (*sensor)->send("sensors/a/t", payload, /*retained=*/false, [&](bool) { ++sent; });
  };
  say("first");
  ASSERT_TRUE(eventually([&] { return refused >= 2; }));
  EXPECT_TRUE(fails_with("locked"));
  refuses = false;
  say("second");
  say(std::string(10'000, 'x'));
  ASSERT_TRUE(eventually([&] { return sent == 3 && count() == refused + 3U; }));
  // It was acknowledged: another session of the same name hears nothing of it.
  session.reset();
  connect_to(broker.port());
  ASSERT_TRUE(connected());
  say("third");
  ASSERT_TRUE(eventually([&] { return count() == refused + 4U; }));
  session.reset();
  const auto again = static_cast<std::size_t>(refused);
  EXPECT_EQ(heard[0].payload, "first");
  EXPECT_FALSE(heard[0].is_resumed);
  EXPECT_EQ(heard[again].payload, "first");
  EXPECT_EQ(heard[again].packet_id, heard[0].packet_id);
  EXPECT_TRUE(heard[again].is_resumed);
  EXPECT_EQ(heard[again + 1].payload, "second");
  EXPECT_TRUE(heard[again + 2].is_cut);
  EXPECT_EQ(heard[again + 3].payload, "third");
}

TEST_F(MqttSessionTest, ASilentDnsHoldsUpNeitherTheLoopNorTheEnd) {
  broker.start(ca, good_certificate());
  options.host = "localhost";
  dns_is_silent = true;
  connect_to(broker.port());
  ASSERT_TRUE(eventually([] { return lookups == 1; }));
  const auto turns = session->state().loop_turns;
  EXPECT_TRUE(eventually([&] { return session->state().loop_turns > turns + 3; }));
  EXPECT_EQ(lookups, 1);
  session.reset();
  EXPECT_EQ(lookups, 1);

  // What was given up ends by itself, and the next session finds its broker.
  connect_to(broker.port());
  dns_is_silent = false;
  dns_is_silent.notify_all();
  EXPECT_TRUE(connected());
  EXPECT_TRUE(eventually([] { return lookups == 0; }));
}

TEST_F(MqttSessionTest, SurvivesAnExpiredBrokerCertificate) {
  broker.start(ca, good_certificate());
  connect_to(broker.port());
  session->set_retained(topic, "online");
  ASSERT_TRUE(connected());

  broker.stop();
  broker.start(
      ca,
      ca.issue({.name = "old", .addresses = {"127.0.0.1"}, .days_from = -20, .days_until = -10}));
  ASSERT_TRUE(fails_with("expired on"));
  EXPECT_FALSE(session->state().connected);
  const auto turns = session->state().loop_turns;
  EXPECT_TRUE(eventually([&] { return session->state().loop_turns > turns + 5; }));

  broker.stop();
  broker.start(ca, good_certificate());
  EXPECT_TRUE(connected(2));
  MosquittoWitness witness(broker, ca, topic, 1);
  EXPECT_THAT(witness.next().value_or(""), HasSubstr("online"));
}

TEST_F(MqttSessionTest, SaysWhichCheckABrokerFails) {
  broker.start(ca, good_certificate());
  const fakes::TestCa other(folder, "other-ca");
  options.ca_file = other.file();
  connect_to(broker.port());
  EXPECT_TRUE(fails_with("is not trusted by " + other.file()));
  broker.stop();
  broker.start(other, other.issue({.name = "else", .dns_names = {"else.example"}}));
  EXPECT_TRUE(fails_with("is not for 127.0.0.1"));
}

TEST_F(MqttSessionTest, TakesUpARenewedCertificateOfItsOwn) {
  const auto needs_certificate = "require_certificate true\nuse_identity_as_username true\n";
  broker.start(ca, good_certificate(), needs_certificate);
  const fakes::TestCa other(folder, "other-ca");
  const auto mine = other.issue({.name = "box"});
  options.certificate_file = mine.certificate;
  options.key_file = mine.key;
  connect_to(broker.port());
  ASSERT_TRUE(eventually([&] { return !session->state().last_error.empty(); }));
  EXPECT_FALSE(session->state().connected);
  EXPECT_EQ(ca.issue({.name = "box"}).certificate, mine.certificate);  // written over the old one
  EXPECT_TRUE(connected());
}

TEST_F(MqttSessionTest, SaysThatTheBrokerRefusesTheUser) {
  broker.start(ca, good_certificate(), "allow_anonymous false\n");
  connect_to(broker.port());
  EXPECT_TRUE(fails_with("the broker refused the session"));
}

TEST_F(MqttSessionTest, ATopicThatIsNotAllowedDoesNotHoldUpTheOthers) {
  const std::string rules = folder.path("acl");
  std::FILE* const file = std::fopen(rules.c_str(), "w");
  std::fputs("topic readwrite clinic/box-1/#\ntopic deny clinic/box-1/secret\n", file);
  std::fclose(file);
  broker.start(ca, good_certificate(), "allow_anonymous true\nacl_file " + rules + "\n");
  connect_to(broker.port());
  session->set_retained("clinic/box-1/secret", "x");
  session->set_retained(topic, "online");
  ASSERT_TRUE(connected());
  MosquittoWitness witness(broker, ca, topic, 1);
  EXPECT_THAT(witness.next().value_or(""), HasSubstr("online"));
  EXPECT_EQ(session->state().connects, 1);
}

TEST_F(MqttSessionTest, WaitsQuietlyWhereNobodyListens) {
  connect_to(broker.port());
  session->set_retained(topic, "online");
  EXPECT_TRUE(fails_with("refused"));
  broker.start(ca, good_certificate());
  EXPECT_TRUE(connected());
}

TEST_F(MqttSessionTest, WaitsQuietlyWhileAHandshakeHangsAndEndsAtOnce) {
  std::uint16_t port = 0;
  const int listener = fakes::listen_on_loopback(port);
  auto begun = std::chrono::steady_clock::now();
  connect_to(port);
  ASSERT_TRUE(eventually([&] { return session->state().loop_turns >= 8; }));
  EXPECT_GT(std::chrono::steady_clock::now() - begun, 1s);
  EXPECT_EQ(session->state().last_error, "");
  begun = std::chrono::steady_clock::now();
  session.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s);
  ::close(listener);
}

TEST_F(MqttSessionTest, TurnsWithoutHurryWhileNothingHappens) {
  broker.start(ca, good_certificate());
  connect_to(broker.port());
  ASSERT_TRUE(connected());
  const auto before = session->state().loop_turns;
  const auto begun = std::chrono::steady_clock::now();
  ASSERT_TRUE(eventually([&] { return session->state().loop_turns >= before + 3; }));
  EXPECT_GT(std::chrono::steady_clock::now() - begun, 500ms);
}

TEST_F(MqttSessionTest, RefusesAConfigurationThatCannotWork) {
  const auto code = [](const MqttOptions& tried) {
    const auto started = MqttSession::start(tried, system_clock());
    return started.ok() ? Code::internal : started.error().code();
  };
  MqttOptions tried = options;
  tried.ca_file = folder.path("missing.pem");
  EXPECT_EQ(code(tried), Code::invalid);
  tried = options;
  tried.host = "broker.example";
  tried.plain = true;
  EXPECT_EQ(code(tried), Code::invalid);
  tried = options;
  tried.host.clear();
  EXPECT_EQ(code(tried), Code::invalid);
}

}  // namespace
}  // namespace gateway::core::net
