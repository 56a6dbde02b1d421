#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <fstream>
#include <future>
#include <thread>

#include "core/net/http.h"
#include "tests/fakes/certificates.h"

namespace gateway::core::net {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

Awaitable<HttpResponse> echo(HttpRequest request) {
  if (request.target == "/throws") throw std::runtime_error("a defect");
  HttpResponse answer;
  answer.status = 200;
  answer.headers = {{"Content-Type", "text/plain"}};
  answer.body = request.method + " " + request.target + " " + request.body;
  co_return answer;
}

/// A daemon's side in its own thread; what touches the loop is posted to it.
class UnixHttp : public ::testing::Test {
 protected:
  UnixHttp() : thread_([this] { loop_.run(); }) {}
  ~UnixHttp() override {
    on_loop([this] { server_.reset(); });
    loop_.stop();
    thread_.join();
  }
  void on_loop(const std::function<void()>& work) {
    std::promise<void> done;
    boost::asio::post(loop_, [&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }
  Status listen() {
    Status out;
    on_loop([&] {
      auto server = UnixHttpServer::listen(loop_.get_executor(), path, echo);
      if (server.ok()) {
        server_ = std::move(*server);
      } else {
        out = server.error();
      }
    });
    return out;
  }
  void close() {
    on_loop([this] { server_->close(); });
  }
  Result<HttpResponse> ask(const std::string& target, std::string body = "") {
    HttpRequest request;
    request.method = body.empty() ? "GET" : "POST";
    request.target = target;
    request.body = std::move(body);
    return unix_http_request(path, request, 10s);
  }
  int connect_raw() const {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }

  fakes::TestFolder folder;
  std::string path = folder.path("control.sock");

 private:
  boost::asio::io_context loop_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      loop_.get_executor()};
  std::unique_ptr<UnixHttpServer> server_;
  std::thread thread_;
};

std::string read_all(int fd) {
  std::string out;
  char bytes[4096];
  for (ssize_t count = 0; (count = ::read(fd, bytes, sizeof bytes)) > 0;) {
    out.append(bytes, static_cast<std::size_t>(count));
  }
  return out;
}

TEST_F(UnixHttp, AnswersTheCli) {
  ASSERT_TRUE(listen().ok());
  const auto get = ask("/status");
  ASSERT_TRUE(get.ok()) << get.error().message();
  EXPECT_EQ(get->status, 200);
  EXPECT_EQ(get->body, "GET /status ");
  EXPECT_EQ(get->header("content-type"), "text/plain");
  const auto post = ask("/retry", std::string(500'000, 'x'));
  ASSERT_TRUE(post.ok());
  EXPECT_EQ(post->body.size(), 500'012);
}

TEST_F(UnixHttp, IsOpenToOwnerAndGroupOnly) {
  ASSERT_TRUE(listen().ok());
  struct stat found {};
  ASSERT_EQ(::stat(path.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0660U);
}

TEST_F(UnixHttp, AHandlersExceptionIsAnAnswer) {
  ASSERT_TRUE(listen().ok());
  const auto answer = ask("/throws");
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->status, 500);
  EXPECT_THAT(answer->body, ::testing::Not(HasSubstr("defect")));
  EXPECT_TRUE(ask("/status").ok());
}

TEST_F(UnixHttp, RefusesWhatIsTooLargeOrNotHttp) {
  ASSERT_TRUE(listen().ok());
  const auto large = ask("/", std::string((1 << 20) + 1, 'x'));
  ASSERT_TRUE(large.ok()) << large.error().message();
  EXPECT_EQ(large->status, 413);

  HttpRequest wide;
  wide.target = "/";
  wide.headers = {{"X-Wide", std::string(17 * 1024, 'x')}};
  const auto head = unix_http_request(path, wide, 10s);
  ASSERT_TRUE(head.ok()) << head.error().message();
  EXPECT_EQ(head->status, 431);

  const int fd = connect_raw();
  ASSERT_GT(::write(fd, "what is this\r\n\r\n", 16), 0);
  EXPECT_THAT(read_all(fd), HasSubstr("HTTP/1.1 400"));
  ::close(fd);
}

TEST_F(UnixHttp, TurnsAwayTheSeventeenthConnection) {
  ASSERT_TRUE(listen().ok());
  std::vector<int> held;
  for (int i = 0; i < 16; ++i) {
    held.push_back(connect_raw());
    // An answer proves that the server has taken the connection.
    ASSERT_GT(::write(held.back(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27), 0);
    char byte = 0;
    ASSERT_EQ(::read(held.back(), &byte, 1), 1);
  }
  const auto answer = ask("/status");
  ASSERT_TRUE(answer.ok()) << answer.error().message();
  EXPECT_EQ(answer->status, 503);
  for (const int fd : held) ::close(fd);
}

TEST_F(UnixHttp, ReplacesWhatACrashedDaemonLeft) {
  const int dead = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(dead, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::close(dead);
  ASSERT_TRUE(listen().ok());
  EXPECT_TRUE(ask("/status").ok());
}

TEST_F(UnixHttp, LeavesALivingDaemonAlone) {
  ASSERT_TRUE(listen().ok());
  boost::asio::io_context other;
  const auto second = UnixHttpServer::listen(other.get_executor(), path, echo);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code(), Code::exists);
  EXPECT_TRUE(ask("/status").ok());
}

TEST_F(UnixHttp, DoesNotReplaceAFileThatIsNoSocket) {
  std::ofstream(path) << "precious";
  const Status status = listen();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), Code::exists);
  EXPECT_EQ(::access(path.c_str(), F_OK), 0);
}

TEST_F(UnixHttp, ClosingTakesTheSocketAway) {
  ASSERT_TRUE(listen().ok());
  close();
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
  const auto answer = ask("/status");
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code(), Code::unavailable);
  EXPECT_THAT(answer.error().message(), HasSubstr("is clinic-gateway running?"));
}

TEST_F(UnixHttp, TheCliDoesNotWaitForever) {
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listener, 4), 0);
  HttpRequest request;
  request.target = "/status";
  const auto answer = unix_http_request(path, request, 100ms);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code(), Code::lost_answer);
  EXPECT_THAT(answer.error().message(), HasSubstr("too long"));
  ::close(listener);
}

TEST_F(UnixHttp, APathMustFitASocketAddress) {
  path = folder.path(std::string(120, 'x'));
  const Status status = listen();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), Code::invalid);
}

}  // namespace
}  // namespace gateway::core::net
