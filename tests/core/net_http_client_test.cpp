#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "core/net/http.h"
#include "tests/fakes/certificates.h"
#include "tests/fakes/tls_server.h"
#include "tests/fakes/waiting.h"

namespace gateway::core::net {
namespace {

using fakes::CertificateFiles;
using fakes::ServedConnection;
using fakes::TlsServer;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

constexpr std::uint64_t large = 32u << 20;

/// Bytes that depend on their place, so that a lost or doubled chunk shows.
char pattern(std::uint64_t at) { return static_cast<char>((at * 31 + (at >> 13)) & 0xff); }

class PatternSource final : public BodySource {
 public:
  explicit PatternSource(std::uint64_t size, std::uint64_t fails_at = UINT64_MAX)
      : size_(size), fails_at_(fails_at) {}
  std::uint64_t size() const override { return size_; }
  Result<std::size_t> read(std::span<std::byte> bytes) override {
    if (at_ >= fails_at_) return Error(Code::corrupt, "the object fails its authentication");
    std::size_t count = 0;
    while (count < bytes.size() && at_ < size_)
      bytes[count++] = static_cast<std::byte>(pattern(at_++));
    return count;
  }

 private:
  std::uint64_t size_;
  std::uint64_t fails_at_;
  std::uint64_t at_ = 0;
};

bool is_pattern(const std::string& bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != pattern(i)) return false;
  }
  return true;
}

class HttpClientTest : public ::testing::Test {
 protected:
  ~HttpClientTest() override {
    if (client) client->close();
  }

  void serve(TlsServer::Script script, fakes::TlsServerOptions options = {}) {
    tls = options.certificate.has_value();
    server.emplace(std::move(options), std::move(script));
  }
  CertificateFiles good_certificate() const {
    return ca.issue({.name = "good", .dns_names = {"localhost"}, .addresses = {"127.0.0.1"}});
  }
  HttpClientOptions options_for(const std::string& host) const {
    HttpClientOptions options;
    options.url =
        std::string(tls ? "https://" : "http://") + host + ":" + std::to_string(server->port());
    if (tls) options.ca_file = ca.file();
    return options;
  }
  HttpClient& connect(HttpClientOptions options) {
    auto made = HttpClient::create(loop.get_executor(), std::move(options));
    EXPECT_TRUE(made.ok()) << made.error().message();
    client = *made;
    return *client;
  }
  HttpClient& connect() { return connect(options_for("127.0.0.1")); }

  Result<HttpResponse> send(const std::string& method, std::string body = "",
                            std::unique_ptr<BodySource> source = {}) {
    HttpRequest request;
    request.method = method;
    request.target = "/thing";
    request.body = std::move(body);
    request.source = std::move(source);
    return fakes::await(loop, client->send(std::move(request)));
  }
  /// The error of a request that must fail.
  Error failure(const std::string& method, std::string body = "") {
    auto answer = send(method, std::move(body));
    EXPECT_FALSE(answer.ok());
    return answer.ok() ? Error(Code::internal, "it succeeded") : answer.error();
  }

  fakes::TestFolder folder;
  fakes::TestCa ca{folder, "test-ca"};
  bool tls = false;
  std::optional<TlsServer> server;
  boost::asio::io_context loop;
  std::shared_ptr<HttpClient> client;
};

void answer_all(ServedConnection& connection) {
  while (auto request = connection.read_request()) connection.answer(request->head + request->body);
}

TEST_F(HttpClientTest, GetsOverTlsByNameAndByAddress) {
  for (const char* host : {"localhost", "127.0.0.1"}) {
    serve(answer_all, {good_certificate()});
    auto options = options_for(host);
    options.url += "/base";
    options.username = "gateway";
    options.password = "secret";
    connect(options);
    const auto answer = send("GET");
    ASSERT_TRUE(answer.ok()) << answer.error().message();
    EXPECT_EQ(answer->status, 200);
    EXPECT_THAT(answer->body, HasSubstr("GET /base/thing HTTP/1.1\r\n"));
    EXPECT_THAT(answer->body, HasSubstr("Authorization: Basic Z2F0ZXdheTpzZWNyZXQ=\r\n"));
    client->close();
  }
}

TEST_F(HttpClientTest, UsesOneConnectionForRequestsInTurn) {
  serve(answer_all, {good_certificate()});
  connect();
  EXPECT_EQ(client->opening_time(), Milliseconds(0));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(send("POST", "body").ok());
  EXPECT_GT(client->opening_time(), Milliseconds(0));
  EXPECT_EQ(server->connections(), 1);
}

TEST_F(HttpClientTest, NamesTheCaFileThatDoesNotTrustTheServer) {
  serve(answer_all, {good_certificate()});
  const fakes::TestCa other(folder, "other-ca");
  auto options = options_for("127.0.0.1");
  options.ca_file = other.file();
  connect(options);
  const Error error = failure("POST", "body");
  EXPECT_EQ(error.code(), Code::untrusted);
  EXPECT_THAT(error.message(), HasSubstr("TLS to 127.0.0.1:"));
  EXPECT_THAT(error.message(), HasSubstr("is not trusted by " + other.file()));
  EXPECT_THAT(error.message(), HasSubstr("check ca_file"));
}

TEST_F(HttpClientTest, DoesNotTrustAPrivateCaByTheSystemsStore) {
  serve(answer_all, {good_certificate()});
  auto options = options_for("127.0.0.1");
  options.ca_file.clear();
  connect(options);
  EXPECT_EQ(failure("GET").code(), Code::untrusted);
}

TEST_F(HttpClientTest, SaysSinceWhenACertificateIsExpired) {
  serve(
      answer_all,
      {ca.issue({.name = "old", .addresses = {"127.0.0.1"}, .days_from = -20, .days_until = -10})});
  connect();
  const Error error = failure("GET");
  EXPECT_EQ(error.code(), Code::untrusted);
  EXPECT_THAT(error.message(), ::testing::ContainsRegex("expired on [0-9]+-[0-9]+-[0-9]+"));
}

TEST_F(HttpClientTest, PointsAtTheClocksWhenACertificateIsNotYetValid) {
  serve(answer_all, {ca.issue({.name = "new", .addresses = {"127.0.0.1"}, .days_from = 10})});
  connect();
  const Error error = failure("GET");
  EXPECT_EQ(error.code(), Code::untrusted);
  EXPECT_THAT(error.message(), HasSubstr("not valid before"));
  EXPECT_THAT(error.message(), HasSubstr("clock"));
}

TEST_F(HttpClientTest, SaysWhichNamesAWrongCertificateHolds) {
  serve(answer_all,
        {ca.issue({.name = "else", .dns_names = {"else.example"}, .addresses = {"192.0.2.7"}})});
  for (const char* host : {"localhost", "127.0.0.1"}) {
    connect(options_for(host));
    const Error error = failure("GET");
    EXPECT_EQ(error.code(), Code::untrusted);
    EXPECT_THAT(error.message(), HasSubstr(std::string("is not for ") + host));
    EXPECT_THAT(error.message(), HasSubstr("else.example, 192.0.2.7"));
  }
}

TEST_F(HttpClientTest, ACommonNameIsNoHostName) {
  serve(answer_all, {ca.issue({.name = "localhost"})});
  connect(options_for("localhost"));
  EXPECT_EQ(failure("GET").code(), Code::untrusted);
}

TEST_F(HttpClientTest, TrustsAServerCertificateThatIsPinnedItself) {
  const auto certificate = good_certificate();
  serve(answer_all, {certificate});
  auto options = options_for("127.0.0.1");
  options.ca_file = certificate.certificate;
  connect(options);
  EXPECT_TRUE(send("GET").ok());
}

TEST_F(HttpClientTest, ShowsItsCertificateToAServerThatAsks) {
  serve(answer_all, {good_certificate(), ca.file()});
  connect();
  const Error error = failure("POST", "body");
  EXPECT_EQ(error.code(), Code::untrusted);
  EXPECT_THAT(error.message(), HasSubstr("client certificate"));

  const auto ours = ca.issue({.name = "gateway"});
  auto options = options_for("127.0.0.1");
  options.certificate_file = ours.certificate;
  options.key_file = ours.key;
  connect(options);
  EXPECT_TRUE(send("POST", "body").ok());
}

TEST_F(HttpClientTest, RefusesAConfigurationThatCannotWork) {
  const auto code = [&](const HttpClientOptions& options) {
    const auto made = HttpClient::create(loop.get_executor(), options);
    return made.ok() ? Code::internal : made.error().code();
  };
  HttpClientOptions options;
  options.url = "https://his.example";
  EXPECT_EQ(code(options), Code::internal);
  options.ca_file = folder.path("missing.pem");
  EXPECT_EQ(code(options), Code::invalid);
  options.ca_file = ca.issue({.name = "x"}).key;
  EXPECT_EQ(code(options), Code::invalid);
  options.ca_file.clear();
  options.certificate_file = ca.issue({.name = "a"}).certificate;
  EXPECT_EQ(code(options), Code::invalid);
  options.key_file = ca.issue({.name = "b"}).key;
  EXPECT_EQ(code(options), Code::invalid);
  options = {};
  options.url = "http://his.example";
  EXPECT_EQ(code(options), Code::invalid);
  options.plain_allowed = true;
  EXPECT_EQ(code(options), Code::internal);
}

TEST_F(HttpClientTest, IsUnavailableWhereNobodyListens) {
  serve(answer_all);
  auto options = options_for("127.0.0.1");
  server.reset();
  connect(options);
  const Error error = failure("POST", "body");
  EXPECT_EQ(error.code(), Code::unavailable);
  EXPECT_THAT(error.message(), HasSubstr("cannot connect"));
}

TEST_F(HttpClientTest, IsUnavailableWhereTheNameIsUnknown) {
  HttpClientOptions options;
  options.url = "https://no-such-host.invalid";
  connect(options);
  EXPECT_EQ(failure("GET").code(), Code::unavailable);
}

TEST_F(HttpClientTest, IsUnavailableWhereThePortDoesNotSpeakTls) {
  serve([](ServedConnection& connection) {
    connection.read_some();
    connection.write("220 mail.example ESMTP\r\n");
    connection.wait_for_peer_to_close();
  });
  tls = true;
  connect();
  const Error error = failure("GET");
  EXPECT_EQ(error.code(), Code::unavailable);
  EXPECT_THAT(error.message(), HasSubstr("does this port speak TLS"));
}

TEST_F(HttpClientTest, IsUnavailableWhenTheHandshakeIsNeverAnswered) {
  HttpClientOptions options;
  std::uint16_t port = 0;
  const int listener = fakes::listen_on_loopback(port);
  options.url = "https://127.0.0.1:" + std::to_string(port);
  options.connect_timeout = 100ms;
  connect(options);
  const Error error = failure("GET");
  EXPECT_EQ(error.code(), Code::unavailable);
  EXPECT_THAT(error.message(), HasSubstr("in time"));
  ::close(listener);
}

TEST_F(HttpClientTest, DoesNotKnowTheFateOfARequestThatIsNotAnswered) {
  serve([](ServedConnection& connection) { connection.read_request(); }, {good_certificate()});
  connect();
  for (const char* method : {"GET", "POST"}) {
    const Error error = failure(method, "body");
    EXPECT_EQ(error.code(), Code::lost_answer);
    EXPECT_THAT(error.message(), HasSubstr("before it answered"));
    EXPECT_THAT(error.message(), ::testing::Not(HasSubstr("/thing")));
  }
  EXPECT_EQ(server->connections(), 2);
}

TEST_F(HttpClientTest, DoesNotKnowTheFateOfARequestThatIsNotRead) {
  serve([](ServedConnection& connection) { connection.reset_on_close(); }, {good_certificate()});
  connect();
  const Code code = failure("POST", "body").code();
  // Whether the reset comes before or after our first byte is the network's choice; both answers
  // are honest.
  EXPECT_TRUE(code == Code::lost_answer || code == Code::unavailable);
}

TEST_F(HttpClientTest, DoesNotTakeHalfAnAnswer) {
  serve(
      [](ServedConnection& connection) {
        connection.read_request();
        connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
      },
      {good_certificate()});
  connect();
  const Error error = failure("PUT", "body");
  EXPECT_EQ(error.code(), Code::lost_answer);
  EXPECT_THAT(error.message(), HasSubstr("in the middle of its answer"));
}

TEST_F(HttpClientTest, DoesNotTakeAnAnswerLargerThanAllowed) {
  serve([](ServedConnection& connection) {
    connection.read_request();
    connection.answer(std::string(2000, 'x'));
  });
  auto options = options_for("127.0.0.1");
  options.response_max = 1999;
  connect(options);
  const Error error = failure("GET");
  EXPECT_EQ(error.code(), Code::refused);
  EXPECT_THAT(error.message(), HasSubstr("larger than 1999 bytes"));
}

TEST_F(HttpClientTest, RefusesAnAnswerThatIsNotHttp) {
  serve([](ServedConnection& connection) {
    connection.read_request();
    connection.write("<html>Welcome to the hotel</html>\r\n\r\n");
  });
  connect();
  EXPECT_EQ(failure("GET").code(), Code::refused);
}

/// Answers once, then closes the moment the next request arrives; later connections answer
/// everything.
void close_on_second_request(ServedConnection& connection) {
  if (connection.number > 0) return answer_all(connection);
  connection.read_request();
  connection.answer("first");
  connection.read_request();
}

TEST_F(HttpClientTest, RepeatsAGetWhoseKeptConnectionWasClosed) {
  serve(close_on_second_request, {good_certificate()});
  connect();
  ASSERT_TRUE(send("GET").ok());
  EXPECT_TRUE(send("GET").ok());
  EXPECT_EQ(server->connections(), 2);
}

TEST_F(HttpClientTest, DoesNotRepeatAPostWhoseKeptConnectionWasClosed) {
  serve(close_on_second_request, {good_certificate()});
  connect();
  ASSERT_TRUE(send("GET").ok());
  EXPECT_EQ(failure("POST", "body").code(), Code::lost_answer);
  EXPECT_EQ(server->connections(), 1);
}

TEST_F(HttpClientTest, DoesNotTouchAConnectionThatIsClosedAlready) {
  for (const bool with_tls : {false, true}) {
    fakes::TlsServerOptions options;
    if (with_tls) options.certificate = good_certificate();
    serve(
        [](ServedConnection& connection) {
          connection.read_request();
          connection.answer("then goes away");
        },
        options);
    connect();
    ASSERT_TRUE(send("GET").ok());
    ASSERT_TRUE(fakes::eventually([&] { return server->open_connections() == 0; }));
    EXPECT_TRUE(send("POST", "body").ok());
    EXPECT_EQ(server->connections(), 2);
    client->close();
  }
}

TEST_F(HttpClientTest, LetsAConnectionRestNoLongerThanTheServerSays) {
  serve([](ServedConnection& connection) {
    while (connection.read_request()) connection.answer("", "Keep-Alive: timeout=0, max=100\r\n");
  });
  connect();
  ASSERT_TRUE(send("GET").ok());
  fakes::run_until(loop, [&] { return server->open_connections() == 0; });
  EXPECT_TRUE(fakes::eventually([&] { return server->open_connections() == 0; }));
}

TEST_F(HttpClientTest, NoticesAServerThatNeverAnswers) {
  serve(
      [](ServedConnection& connection) {
        connection.read_request();
        connection.wait_for_peer_to_close();
      },
      {good_certificate()});
  auto options = options_for("127.0.0.1");
  options.idle_timeout = 100ms;
  connect(options);
  const Error error = failure("GET");
  EXPECT_EQ(error.code(), Code::lost_answer);
  EXPECT_THAT(error.message(), HasSubstr("no byte moved for 100 ms"));
  EXPECT_EQ(server->connections(), 1);
}

TEST_F(HttpClientTest, NoticesAServerThatStopsReading) {
  serve([](ServedConnection& connection) {
    connection.read_head();
    connection.stop_reading();
  });
  auto options = options_for("127.0.0.1");
  options.idle_timeout = 300ms;
  connect(options);
  const auto answer = send("POST", "", std::make_unique<PatternSource>(large));
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code(), Code::lost_answer);
  EXPECT_THAT(answer.error().message(), HasSubstr("no byte moved"));
}

TEST_F(HttpClientTest, EndsAnAnswerThatTricklesForEver) {
  serve([](ServedConnection& connection) {
    connection.read_request();
    connection.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    while (connection.write("x")) std::this_thread::sleep_for(20ms);
  });
  auto options = options_for("127.0.0.1");
  options.idle_timeout = 100ms;
  connect(options);
  const Error error = failure("GET");
  EXPECT_EQ(error.code(), Code::lost_answer);
  EXPECT_THAT(error.message(), HasSubstr("fewer than 256 bytes a second moved in 1000 ms"));
}

TEST_F(HttpClientTest, IsPatientWithAServerThatAnswersSlowly) {
  serve([](ServedConnection& connection) {
    connection.read_request();
    connection.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
    for (int i = 0; i < 10; ++i) {
      std::this_thread::sleep_for(60ms);
      connection.write("x");
    }
  });
  auto options = options_for("127.0.0.1");
  options.idle_timeout = 300ms;
  connect(options);
  EXPECT_TRUE(send("GET").ok());
}

// What the kernel still has to deliver is not silence: the whole body lies in its buffer long
// before the server has it.
TEST_F(HttpClientTest, IsPatientWithALinkThatDrainsSlowly) {
  serve([](ServedConnection& connection) {
    connection.read_head();
    std::size_t body = 0;
    while (body < (512u << 10)) {
      std::this_thread::sleep_for(20ms);
      body += connection.read_some().size();
    }
    connection.answer("got it");
  });
  auto options = options_for("127.0.0.1");
  options.idle_timeout = 400ms;
  connect(options);
  const auto answer = send("POST", "", std::make_unique<PatternSource>(600u << 10));
  EXPECT_TRUE(answer.ok()) << answer.error().message();
}

TEST_F(HttpClientTest, StreamsALargeBodyUnchanged) {
  std::atomic<bool> same{false};
  for (const bool with_tls : {false, true}) {
    fakes::TlsServerOptions options;
    if (with_tls) options.certificate = good_certificate();
    serve(
        [&same](ServedConnection& connection) {
          const auto request = connection.read_request();
          same = request && request->body.size() == large && is_pattern(request->body);
          connection.answer("thanks");
        },
        options);
    connect();
    const auto answer = send("POST", "", std::make_unique<PatternSource>(large));
    ASSERT_TRUE(answer.ok()) << answer.error().message();
    EXPECT_EQ(answer->body, "thanks");
    EXPECT_TRUE(same.exchange(false));
    client->close();
    server.reset();
  }
}

TEST_F(HttpClientTest, HearsARefusalBeforeTheBodyIsSent) {
  for (const bool with_tls : {false, true}) {
    fakes::TlsServerOptions options;
    if (with_tls) options.certificate = good_certificate();
    serve(
        [](ServedConnection& connection) {
          connection.read_head();
          connection.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
          connection.wait_for_peer_to_close();
        },
        options);
    connect();
    const auto answer = send("POST", "", std::make_unique<PatternSource>(4 * large));
    ASSERT_TRUE(answer.ok()) << answer.error().message();
    EXPECT_EQ(answer->status, 413);
    client->close();
  }
}

TEST_F(HttpClientTest, PassesTheSourcesErrorOn) {
  serve([](ServedConnection& connection) { connection.read_request(); });
  connect();
  const auto answer = send("POST", "", std::make_unique<PatternSource>(large, large / 2));
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code(), Code::corrupt);
  EXPECT_THAT(answer.error().message(), HasSubstr("fails its authentication"));
}

TEST_F(HttpClientTest, LetsSendsWaitTheirTurnInOrder) {
  std::mutex mutex;
  std::string order;
  serve([&](ServedConnection& connection) {
    while (auto request = connection.read_request()) {
      {
        const std::lock_guard lock(mutex);
        order += request->body;
      }
      connection.answer("");
    }
  });
  auto options = options_for("127.0.0.1");
  options.connections_max = 1;
  connect(options);
  std::vector<std::optional<Result<HttpResponse>>> answers(8);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    HttpRequest request;
    request.method = "POST";
    request.target = "/";
    request.body = std::string(1, static_cast<char>('a' + i));
    fakes::start(loop, client->send(std::move(request)), answers[i]);
  }
  fakes::run_until(loop, [&] { return answers.back().has_value(); });
  for (const auto& answer : answers) EXPECT_TRUE(answer && answer->ok());
  EXPECT_EQ(server->connections(), 1);
  client->close();
  server.reset();
  EXPECT_EQ(order, "abcdefgh");
}

class HttpClientEnd : public HttpClientTest {
 protected:
  void start_three_sends() {
    serve([](ServedConnection& connection) { connection.wait_for_peer_to_close(); },
          {good_certificate()});
    auto options = options_for("127.0.0.1");
    options.connections_max = 2;
    connect(options);
    for (auto& answer : answers) {
      HttpRequest request;
      request.target = "/";
      fakes::start(loop, client->send(std::move(request)), answer);
    }
    fakes::run_until(loop, [&] { return server->connections() == 2; });
  }
  std::vector<std::optional<Result<HttpResponse>>> answers{3};
};

TEST_F(HttpClientEnd, ClosingEndsRunningAndWaitingSends) {
  start_three_sends();
  client->close();
  fakes::run_until(loop, [&] { return answers[0] && answers[1] && answers[2]; });
  for (const auto& answer : answers) {
    ASSERT_TRUE(answer && !answer->ok());
    EXPECT_EQ(answer->error().code(), Code::cancelled);
  }
  EXPECT_EQ(failure("GET").code(), Code::cancelled);
}

TEST_F(HttpClientEnd, TheLoopMayGoAwayWithSendsRunning) {
  start_three_sends();
  client.reset();
}

}  // namespace
}  // namespace gateway::core::net
