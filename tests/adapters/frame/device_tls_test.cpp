// Devices' lines under TLS, both ways, with peers of OpenSSL's own: who is heard, who is refused
// and what is said of it, and that nobody stays for ever in a handshake.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <mutex>

#include "adapters/frame/dialled_lines.h"
#include "adapters/frame/listeners.h"
#include "core/text.h"
#include "tests/fakes/certificates.h"
#include "tests/fakes/tls_client.h"
#include "tests/fakes/tls_server.h"
#include "tests/fakes/waiting.h"

namespace gateway::adapters::frame {
namespace {

using core::cat;
using fakes::eventually;
using fakes::TlsClient;
using ::testing::HasSubstr;
using ::testing::Not;

/// Lines, ended by LF or, like MLLP's without its last byte, by a pause behind '.'.
class LineFramer final : public Framer {
 public:
  void feed(std::string_view bytes, core::Monotonic now, std::vector<FrameEvent>& events) override {
    for (const char c : bytes) {
      if (c == '\n') {
        tick(now, events);
      } else {
        line_ += c;
      }
    }
    if (line_.ends_with('.')) due_ = now + std::chrono::milliseconds(50);
  }
  void tick(core::Monotonic /*now*/, std::vector<FrameEvent>& events) override {
    due_.reset();
    events.push_back({FrameEvent::Kind::message, std::move(line_)});
    line_.clear();
  }
  std::optional<core::Monotonic> due() const override { return due_; }
  bool in_message() const override { return !line_.empty(); }
  std::uint64_t skipped() const override { return 0; }

 private:
  std::string line_;
  std::optional<core::Monotonic> due_;
};

/// Answers each line with its length.
class Counting final : public Conversation {
 public:
  explicit Counting(std::atomic<int>& taken) : taken_(taken) {}
  Framer& framer() override { return framer_; }
  core::net::Awaitable<std::string> answer(FrameEvent event) override {
    ++taken_;
    co_return cat("took ", event.bytes.size(), "\n");
  }

 private:
  std::atomic<int>& taken_;
  LineFramer framer_;
};

class DeviceTls : public ::testing::Test {
 protected:
  MakeConversation counting() {
    return [this](const std::string&) { return std::make_unique<Counting>(taken_); };
  }
  /// A listener that shows `server_` and wants a certificate of `ca_` from who calls.
  ListenerOptions listener() const {
    ListenerOptions options;
    options.name = "lab";
    options.bind = "127.0.0.1";
    options.tls = {server_.certificate, server_.key, ca_.file()};
    return options;
  }
  void listen(const ListenerOptions& options) {
    devices_->add(options, counting());
    ASSERT_TRUE(devices_->start().ok());
  }
  bool everybody_left() {
    return eventually([this] { return devices_->connections() == 0; });
  }

  const fakes::TestFolder folder_;
  const fakes::TestCa ca_{folder_, "clinic-ca"};
  const fakes::TestCa other_ca_{folder_, "other-ca"};
  const fakes::CertificateFiles server_ =
      ca_.issue({.name = "gateway", .dns_names = {"localhost"}, .addresses = {"127.0.0.1"}});
  const fakes::CertificateFiles analyzer_ = ca_.issue({.name = "analyzer"});
  const fakes::CertificateFiles stranger_ = other_ca_.issue({.name = "stranger"});
  std::atomic<int> taken_{0};
  std::unique_ptr<Listeners> devices_ = Listeners::create();
};

TEST_F(DeviceTls, ADeviceThatShowsItsCertificateIsHeardAndAnswered) {
  listen(listener());
  TlsClient device(devices_->port("lab"), ca_.file(), analyzer_);
  ASSERT_TRUE(device.shook_hands());
  ASSERT_TRUE(device.say("result\n"));
  EXPECT_EQ(device.hear("\n"), "took 6\n");
  // More than a record, and more than the session reads at once.
  ASSERT_TRUE(device.say(std::string(300'000, 'x') + "\nnext\n"));
  EXPECT_EQ(device.hear("\n"), "took 300000\n");
  EXPECT_EQ(device.hear("\n"), "took 4\n");
  ASSERT_TRUE(device.say("ended by a pause."));
  EXPECT_EQ(device.hear("\n"), "took 17\n");
  ASSERT_TRUE(device.say("and on\n"));
  EXPECT_EQ(device.hear("\n"), "took 6\n");
}

TEST_F(DeviceTls, WhoShowsNoCertificateOrAnothersIsRefusedAndTheLogSaysWhy) {
  testing::internal::CaptureStderr();
  listen(listener());
  {
    TlsClient nobody(devices_->port("lab"), ca_.file());
    nobody.say("result\n");
    EXPECT_EQ(nobody.hear("\n"), "");
    TlsClient stranger(devices_->port("lab"), ca_.file(), stranger_);
    stranger.say("result\n");
    EXPECT_EQ(stranger.hear("\n"), "");
  }
  EXPECT_TRUE(everybody_left());
  devices_->stop();
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log,
              HasSubstr("device lab: no TLS with 127.0.0.1: peer did not return a certificate; "
                        "compare"));
  EXPECT_THAT(log, HasSubstr("certificate verify failed (unable to get local issuer certificate)"));
  EXPECT_EQ(taken_, 0);
}

TEST_F(DeviceTls, ADeviceThatDoesNotTrustUsHearsNothingAndTheLogSaysWhy) {
  testing::internal::CaptureStderr();
  listen(listener());
  EXPECT_FALSE(TlsClient(devices_->port("lab"), other_ca_.file(), analyzer_).shook_hands());
  EXPECT_TRUE(everybody_left());
  devices_->stop();
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("unknown ca"));
}

TEST_F(DeviceTls, WithoutACaForClientsNoCertificateIsAskedFor) {
  ListenerOptions options = listener();
  options.tls.client_ca_file.clear();
  listen(options);
  TlsClient device(devices_->port("lab"), ca_.file());
  ASSERT_TRUE(device.say("result\n"));
  EXPECT_EQ(device.hear("\n"), "took 6\n");
}

TEST_F(DeviceTls, PlainBytesAreNotTakenAndNotRepeatedInTheLog) {
  testing::internal::CaptureStderr();
  listen(listener());
  const int socket = fakes::dial_loopback(devices_->port("lab"));
  ASSERT_GE(socket, 0);
  const std::string plain = "PID|1||Roe^Jane and more than a record's head\n";
  ASSERT_EQ(::send(socket, plain.data(), plain.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(plain.size()));
  std::string heard;
  char byte = 0;
  while (::recv(socket, &byte, 1, 0) == 1) heard += byte;
  ::close(socket);
  EXPECT_THAT(heard, Not(HasSubstr("took")));
  EXPECT_TRUE(everybody_left());
  devices_->stop();
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("no TLS with 127.0.0.1: wrong version number"));
  EXPECT_THAT(log, Not(HasSubstr("Roe")));
  EXPECT_EQ(taken_, 0);
}

TEST_F(DeviceTls, WhoStopsInAHandshakeHoldsAPlaceForItsTimeOnly) {
  testing::internal::CaptureStderr();
  ListenerOptions options = listener();
  options.connections_max = 2;
  options.handshake_timeout = core::Milliseconds(300);
  listen(options);
  const int first = fakes::dial_loopback(devices_->port("lab"));
  const int second = fakes::dial_loopback(devices_->port("lab"));
  ASSERT_TRUE(eventually([this] { return devices_->connections() == 2; }));
  const int third = fakes::dial_loopback(devices_->port("lab"));
  char byte = 0;
  EXPECT_EQ(::recv(third, &byte, 1, 0), 0) << "one too many";
  EXPECT_EQ(::recv(first, &byte, 1, 0), 0) << "its time is over";
  EXPECT_EQ(::recv(second, &byte, 1, 0), 0);
  for (const int socket : {first, second, third}) ::close(socket);
  ASSERT_TRUE(everybody_left());
  {
    TlsClient device(devices_->port("lab"), ca_.file(), analyzer_);
    ASSERT_TRUE(device.say("result\n"));
    EXPECT_EQ(device.hear("\n"), "took 6\n");
  }
  devices_->stop();
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("the TLS handshake did not end within 300 ms"));
}

TEST_F(DeviceTls, StoppingEndsWhoIsInAHandshake) {
  listen(listener());
  const int stalled = fakes::dial_loopback(devices_->port("lab"));
  ASSERT_TRUE(eventually([this] { return devices_->connections() == 1; }));
  devices_->stop();
  char byte = 0;
  EXPECT_EQ(::recv(stalled, &byte, 1, 0), 0);
  ::close(stalled);
}

TEST_F(DeviceTls, AListenerWhoseCertificateIsNotThereSaysWhich) {
  ListenerOptions options = listener();
  options.tls.certificate_file = folder_.path("nowhere.pem");
  devices_->add(options, counting());
  const auto started = devices_->start();
  ASSERT_FALSE(started.ok());
  EXPECT_THAT(started.error().message(),
              HasSubstr("device lab: the certificate " + folder_.path("nowhere.pem")));
}

/// A device that waits to be called and says a line.
class CalledTls : public DeviceTls {
 protected:
  static void say_a_line(fakes::ServedConnection& line) {
    line.write("result\n");
    while (!line.read_some().empty()) {
    }
  }
  void call(const fakes::TlsServer& device, core::net::TlsIdentity tls) {
    tls.host = "127.0.0.1";
    lines_->add({.name = "lab", .host = tls.host, .port = device.port(), .tls = tls}, counting());
    lines_->start();
  }
  bool hears(const std::string& problem) {
    return eventually([&] { return lines_->problem("lab").find(problem) != std::string::npos; });
  }

  std::unique_ptr<DialledLines> lines_ = DialledLines::create();
};

TEST_F(CalledTls, ADeviceThatIsTrustedAndTrustsUsIsHeard) {
  fakes::TlsServer device({.certificate = server_, .client_ca_file = ca_.file()}, say_a_line);
  call(device, {"", ca_.file(), analyzer_.certificate, analyzer_.key});
  EXPECT_TRUE(eventually([this] { return taken_ == 1; }));
  EXPECT_EQ(lines_->problem("lab"), "");
  lines_->stop();
}

TEST_F(CalledTls, ADeviceOfAnotherAuthorityIsNotHeardUntilTheFileSaysOtherwise) {
  fakes::TlsServer device({.certificate = server_}, say_a_line);
  const std::string trusted = folder_.path("trusted.pem");
  std::filesystem::copy_file(other_ca_.file(), trusted);
  call(device, {"", trusted, "", ""});
  EXPECT_TRUE(hears(cat("no TLS with the device at 127.0.0.1:", device.port(),
                        ": the server's certificate is not trusted by ", trusted)))
      << lines_->problem("lab");
  EXPECT_EQ(taken_, 0);
  std::filesystem::copy_file(ca_.file(), trusted,
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_TRUE(eventually([this] { return taken_ == 1; })) << "the next call reads the file anew";
  lines_->stop();
}

TEST_F(CalledTls, ADeviceThatWantsACertificateOfOursSaysSo) {
  fakes::TlsServer device({.certificate = server_, .client_ca_file = ca_.file()}, say_a_line);
  call(device, {"", ca_.file(), "", ""});
  EXPECT_TRUE(hears("certificate required")) << lines_->problem("lab");
  EXPECT_EQ(taken_, 0);
  lines_->stop();
}

TEST_F(CalledTls, ADeviceWithoutTlsIsNotSpokenToInTheClear) {
  fakes::TlsServer device({}, say_a_line);
  call(device, {"", ca_.file(), "", ""});
  EXPECT_TRUE(hears("no TLS with the device")) << lines_->problem("lab");
  EXPECT_EQ(taken_, 0);
  lines_->stop();
}

}  // namespace
}  // namespace gateway::adapters::frame
