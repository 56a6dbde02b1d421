// The broker behind a proxy: Debian's tinyproxy (HTTP) and microsocks (SOCKS5).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>

#include "core/net/mqtt_session.h"
#include "core/net/socks_bridge.h"
#include "core/text.h"
#include "tests/fakes/certificates.h"
#include "tests/fakes/mosquitto_broker.h"
#include "tests/fakes/tinyproxy.h"
#include "tests/fakes/tls_server.h"
#include "tests/fakes/waiting.h"

namespace gateway::core::net {
namespace {

using fakes::eventually;
using fakes::Tinyproxy;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

constexpr char kTopic[] = "clinic/box-1/status";

class Microsocks {
 public:
  static constexpr char kProgram[] = "/usr/bin/microsocks";
  Microsocks() {
    ::close(fakes::listen_on_loopback(port_));
    process_ = ::fork();
    if (process_ == 0) {
      ::execl(kProgram, "microsocks", "-i", "127.0.0.1", "-p", std::to_string(port_).c_str(), "-u",
              Tinyproxy::kUsername, "-P", Tinyproxy::kPassword, nullptr);
      ::_exit(127);
    }
    EXPECT_TRUE(eventually([this] { return fakes::listens_on_loopback(port_); }));
  }
  Microsocks(const Microsocks&) = delete;
  Microsocks& operator=(const Microsocks&) = delete;
  ~Microsocks() {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  std::uint16_t port() const { return port_; }

 private:
  std::uint16_t port_ = 0;
  pid_t process_ = -1;
};

class MqttProxyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fakes::MosquittoBroker::installed() || !Tinyproxy::installed() ||
        ::access(Microsocks::kProgram, X_OK) != 0)
      GTEST_SKIP() << "mosquitto, tinyproxy or microsocks is not installed";
    broker_.start(ca_, certificate());
    options_.host = "localhost";
    options_.port = broker_.port();
    options_.client_id = "box-1";
    options_.ca_file = ca_.file();
    options_.proxy_username = Tinyproxy::kUsername;
    options_.proxy_password = Tinyproxy::kPassword;
    options_.backoff_min = 20ms;
    options_.backoff_max = 100ms;
  }
  fakes::CertificateFiles certificate() const {
    return ca_.issue({.name = "broker", .dns_names = {"localhost"}, .addresses = {"127.0.0.1"}});
  }
  void connect_by(const std::string& proxy) {
    options_.proxy = proxy;
    auto started = MqttSession::start(options_, system_clock());
    ASSERT_TRUE(started.ok()) << started.error().message();
    session_ = std::move(*started);
  }
  bool publishes() {
    session_->set_retained(kTopic, "online");
    if (!eventually([&] { return session_->state().connected; })) return false;
    fakes::MosquittoWitness witness(broker_, ca_, kTopic, 1);
    const auto seen = witness.next();
    return seen == "1 online" || seen == "0 online";
  }
  bool fails_with(const std::string& text) {
    return eventually([&] { return session_->state().last_error.find(text) != std::string::npos; });
  }

  fakes::TestFolder folder_;
  fakes::TestCa ca_{folder_, "broker-ca"};
  fakes::MosquittoBroker broker_{folder_};
  MqttOptions options_;
  std::unique_ptr<MqttSession> session_;
};

TEST_F(MqttProxyTest, AnHttpProxyTunnelsItAndItComesBackAfterTheBrokerWasAway) {
  const Tinyproxy proxy(folder_, broker_.port());
  connect_by(cat("http://127.0.0.1:", proxy.port()));
  ASSERT_TRUE(publishes()) << session_->state().last_error;
  broker_.stop();
  EXPECT_TRUE(eventually([&] { return !session_->state().connected; }));
  broker_.start(ca_, certificate());
  EXPECT_TRUE(eventually([&] { return session_->state().connected; }))
      << session_->state().last_error;
}

TEST_F(MqttProxyTest, WhatTheHttpProxyRefusesIsSaid) {
  const Tinyproxy proxy(folder_, broker_.port());
  options_.proxy_password = "guessed";
  connect_by(cat("http://127.0.0.1:", proxy.port()));
  EXPECT_TRUE(fails_with("does not take the user name")) << session_->state().last_error;
}

TEST_F(MqttProxyTest, TheBrokersOwnNameIsCheckedBehindTheProxy) {
  broker_.stop();
  broker_.start(ca_, ca_.issue({.name = "x", .dns_names = {"other.example"}, .addresses = {}}));
  const Tinyproxy proxy(folder_, broker_.port());
  connect_by(cat("http://127.0.0.1:", proxy.port()));
  EXPECT_TRUE(fails_with("localhost")) << session_->state().last_error;
  EXPECT_FALSE(session_->state().connected);
}

TEST_F(MqttProxyTest, ASocksProxyCarriesItToo) {
  const Microsocks proxy;
  options_.host = "127.0.0.1";  // it tries the first address of a name only
  connect_by(cat("socks5://127.0.0.1:", proxy.port()));
  EXPECT_TRUE(publishes()) << session_->state().last_error;
}

TEST(SocksProxy, IsWrittenAsAUrl) {
  EXPECT_EQ(read_socks_proxy("socks5://wall.example:1080")->peer(), "wall.example:1080");
  for (const char* wrong : {"", "http://wall:80", "socks5://", "socks5://wall:1080/path"})
    EXPECT_FALSE(read_socks_proxy(wrong).ok()) << wrong;
}

}  // namespace
}  // namespace gateway::core::net
