// An HTTP proxy on the way (Debian's tinyproxy, and peers that are none), and the limit on what
// goes out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <optional>

#include "core/net/http.h"
#include "core/net/send_pace.h"
#include "core/net/tls_probe.h"
#include "core/text.h"
#include "tests/fakes/certificates.h"
#include "tests/fakes/tinyproxy.h"
#include "tests/fakes/tls_server.h"
#include "tests/fakes/waiting.h"

namespace gateway::core::net {
namespace {

using fakes::ServedConnection;
using fakes::Tinyproxy;
using fakes::TlsServer;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

void answer_all(ServedConnection& connection) {
  while (auto request = connection.read_request()) connection.answer(request->head + request->body);
}

class HttpProxyTest : public ::testing::Test {
 protected:
  HttpClientOptions options_by(std::uint16_t proxy_port) const {
    HttpClientOptions options;
    options.url = cat("https://localhost:", server_.port());
    options.ca_file = ca_.file();
    options.proxy = cat("http://127.0.0.1:", proxy_port);
    options.proxy_username = Tinyproxy::kUsername;
    options.proxy_password = Tinyproxy::kPassword;
    return options;
  }
  Result<HttpResponse> post(HttpClientOptions options, std::string body) {
    GW_TRY(const auto client, HttpClient::create(loop_.get_executor(), std::move(options)));
    HttpRequest request;
    request.method = "POST";
    request.target = "/thing";
    request.body = std::move(body);
    auto answer = fakes::await(loop_, client->send(std::move(request)));
    client->close();
    return answer;
  }
  std::string refusal(HttpClientOptions options) {
    const auto answer = post(std::move(options), "body");
    if (answer.ok()) return "it succeeded";
    EXPECT_EQ(answer.error().code(), Code::unavailable);
    return answer.error().message();
  }

  fakes::TestFolder folder_;
  fakes::TestCa ca_{folder_, "test-ca"};
  TlsServer server_{{ca_.issue({.name = "good", .dns_names = {"localhost"}})}, answer_all};
  boost::asio::io_context loop_;
};

TEST_F(HttpProxyTest, TlsGoesThroughItsTunnelEndToEnd) {
  if (!Tinyproxy::installed()) GTEST_SKIP() << "no tinyproxy here: install tinyproxy-bin";
  const Tinyproxy proxy(folder_, server_.port());
  const std::string body(300'000, 'b');
  const auto answer = post(options_by(proxy.port()), body);
  ASSERT_TRUE(answer.ok()) << answer.error().message();
  EXPECT_THAT(answer->body, HasSubstr("POST /thing HTTP/1.1\r\n"));
  EXPECT_TRUE(answer->body.ends_with(body));
  EXPECT_EQ(answer->body.find("Proxy-Authorization"), std::string::npos)
      << "the proxy's password is nothing for the server";

  const auto read = read_proxy(cat("http://127.0.0.1:", proxy.port()), Tinyproxy::kUsername,
                               Tinyproxy::kPassword);
  ASSERT_TRUE(read.ok());
  const auto peer = probe_tls({"localhost", ca_.file(), "", ""}, server_.port(), 20s, &*read);
  EXPECT_TRUE(peer.ok()) << peer.error().message();
}

TEST_F(HttpProxyTest, SaysWhyTheProxyLetsNobodyThrough) {
  if (!Tinyproxy::installed()) GTEST_SKIP() << "no tinyproxy here: install tinyproxy-bin";
  const Tinyproxy proxy(folder_, server_.port());
  auto nameless = options_by(proxy.port());
  nameless.proxy_username.clear();
  EXPECT_THAT(refusal(nameless), HasSubstr("set proxy_username and proxy_password_file"));
  auto wrong = options_by(proxy.port());
  wrong.proxy_password = "in front of it";
  EXPECT_THAT(refusal(wrong), HasSubstr("check proxy_username and proxy_password_file"));
  auto elsewhere = options_by(proxy.port());
  elsewhere.url = cat("https://localhost:", proxy.port());
  EXPECT_THAT(refusal(elsewhere), HasSubstr("answered 403"));
}

TEST_F(HttpProxyTest, SaysWhenWhatAnswersIsNoProxy) {
  std::uint16_t free_port = 0;
  ::close(fakes::listen_on_loopback(free_port));
  EXPECT_THAT(refusal(options_by(free_port)), HasSubstr("cannot connect"));
  TlsServer talker({}, [](ServedConnection& connection) {
    connection.read_head();
    connection.write("220 mail.example ESMTP\r\n");
    connection.wait_for_peer_to_close();
  });
  EXPECT_THAT(refusal(options_by(talker.port())), HasSubstr("is no HTTP proxy"));
  TlsServer endless({}, [](ServedConnection& connection) {
    connection.read_head();
    while (connection.write("HTTP/1.1 100 Continue\r\n\r\n")) {
    }
  });
  EXPECT_THAT(refusal(options_by(endless.port())), HasSubstr("is no HTTP proxy"));
  TlsServer silent({}, [](ServedConnection& connection) { connection.wait_for_peer_to_close(); });
  auto impatient = options_by(silent.port());
  impatient.connect_timeout = 200ms;
  EXPECT_THAT(refusal(impatient), HasSubstr("did not answer in time"));
}

TEST_F(HttpProxyTest, AnAddressThatIsNoneIsRefusedAtOnce) {
  for (const char* proxy :
       {"proxy:3128", "https://proxy:3128", "http://proxy:3128/path", "http://"}) {
    HttpClientOptions options;
    options.url = "https://his.example";
    options.proxy = proxy;
    const auto made = HttpClient::create(loop_.get_executor(), options);
    ASSERT_FALSE(made.ok()) << proxy;
    EXPECT_EQ(made.error().code(), Code::invalid);
  }
}

TEST_F(HttpProxyTest, WhatIsPacedArrivesWhole) {
  HttpClientOptions options;
  options.url = cat("https://localhost:", server_.port());
  options.ca_file = ca_.file();
  options.send_bytes_per_second = 2'000'000;
  const std::string body(400'000, 'c');
  const auto answer = post(options, body);
  ASSERT_TRUE(answer.ok()) << answer.error().message();
  EXPECT_TRUE(answer->body.ends_with(body));
}

TEST(SendPace, SharesASecondAmongThoseWhoSend) {
  SendPace pace(10'000);
  EXPECT_EQ(pace.portion(), 1'000u);
  const Monotonic start{100s};
  EXPECT_EQ(pace.take(1'000, start), start);
  EXPECT_EQ(pace.take(1'000, start), start + 100ms);
  EXPECT_EQ(pace.take(500, start + 10ms), start + 200ms);
  EXPECT_EQ(pace.take(1'000, start + 260ms), start + 260ms) << "an idle time is not made up for";
  EXPECT_EQ(pace.take(1'000, start + 260ms), start + 360ms);
}

}  // namespace
}  // namespace gateway::core::net
