// The client's WebSocket against a server that speaks RFC 6455 by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <optional>

#include "core/base64.h"
#include "core/net/web_socket.h"
#include "core/text.h"
#include "tests/fakes/certificates.h"
#include "tests/fakes/tls_server.h"
#include "tests/fakes/waiting.h"

namespace gateway::core::net {
namespace {

using fakes::ServedConnection;
using fakes::TlsServer;
using ::testing::HasSubstr;

/// RFC 6455 4.2.2.
std::string accept_of(const std::string& head) {
  const auto at = head.find("Sec-WebSocket-Key: ") + 19;
  const std::string key =
      head.substr(at, head.find("\r\n", at) - at) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(key.data(), key.size(), digest.data(), &size, EVP_sha1(), nullptr);
  return to_base64(std::string_view(reinterpret_cast<const char*>(digest.data()), size));
}

std::string upgrade(ServedConnection& connection) {
  std::string head = connection.read_head().value_or("");
  connection.write(
      cat("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
          "Connection: Upgrade\r\nSec-WebSocket-Accept: ",
          accept_of(head), "\r\n\r\n"));
  return head;
}

/// A text frame as a server sends it: not masked (5.2).
std::string frame(const std::string& text) {
  std::string out = "\x81";
  const unsigned width = text.size() < 126 ? 0 : text.size() < 65'536 ? 2 : 8;
  out += width == 0 ? static_cast<char>(text.size()) : width == 2 ? '\x7e' : '\x7f';
  for (unsigned left = width; left > 0; --left)
    out += static_cast<char>((text.size() >> (8 * (left - 1))) & 0xff);
  return out + text;
}

/// A short text frame of the client's, unmasked; empty where it is none.
std::string read_text(ServedConnection& connection) {
  std::string bytes;
  while (bytes.size() < 6 || bytes.size() < 6 + (static_cast<unsigned char>(bytes[1]) & 0x7fu)) {
    const std::string more = connection.read_some();
    if (more.empty()) return "";
    bytes += more;
  }
  const bool is_masked_text = bytes[0] == '\x81' && (static_cast<unsigned char>(bytes[1]) & 0x80u);
  std::string text = is_masked_text ? bytes.substr(6) : "";
  for (std::size_t i = 0; i < text.size(); ++i)
    text[i] = static_cast<char>(text[i] ^ bytes[2 + i % 4]);
  return text;
}

class WebSocketTest : public ::testing::Test {
 protected:
  ~WebSocketTest() override {
    if (client_) client_->close();
  }
  Result<std::shared_ptr<WebSocket>> open(TlsServer::Script script) {
    server_.emplace(
        fakes::TlsServerOptions{ca_.issue({.name = "good", .dns_names = {"localhost"}})},
        std::move(script));
    HttpClientOptions options;
    options.url = cat("https://localhost:", server_->port(), "/fhir");
    options.ca_file = ca_.file();
    options.username = "clinic";
    options.password = "secret";
    client_ = *HttpClient::create(loop_.get_executor(), options);
    HttpRequest request;
    request.target = "/websocket";
    request.headers = {{"X-Site", "one"}};
    return fakes::await(loop_, client_->open_socket(std::move(request)));
  }

  fakes::TestFolder folder_;
  fakes::TestCa ca_{folder_, "test-ca"};
  std::optional<TlsServer> server_;
  boost::asio::io_context loop_;
  std::shared_ptr<HttpClient> client_;
};

TEST_F(WebSocketTest, SaysAndHearsAtAPathOfTheServersOwn) {
  const auto socket = open([](ServedConnection& connection) {
    const std::string head = upgrade(connection);
    const std::string said = read_text(connection);
    connection.write(frame(cat("heard ", said)));
    connection.write(frame(head));
    connection.wait_for_peer_to_close();
  });
  ASSERT_TRUE(socket.ok()) << socket.error().message();
  ASSERT_TRUE(fakes::await(loop_, (*socket)->send("bind 12")).ok());
  const auto first = fakes::await(loop_, (*socket)->receive());
  ASSERT_TRUE(first.ok()) << first.error().message();
  EXPECT_EQ(*first, "heard bind 12");
  const auto head = fakes::await(loop_, (*socket)->receive());
  ASSERT_TRUE(head.ok()) << head.error().message();
  EXPECT_THAT(*head, HasSubstr("GET /websocket HTTP/1.1\r\n"));
  EXPECT_THAT(*head, HasSubstr("Authorization: Basic "));
  EXPECT_THAT(*head, HasSubstr("X-Site: one\r\n"));
}

TEST_F(WebSocketTest, SaysWhatTheServerAnsweredInstead) {
  const auto socket = open([](ServedConnection& connection) {
    connection.read_head();
    connection.write("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  });
  ASSERT_FALSE(socket.ok());
  EXPECT_EQ(socket.error().code(), Code::refused);
  EXPECT_THAT(socket.error().message(), HasSubstr("answered 404 where a WebSocket was asked for"));
}

TEST_F(WebSocketTest, EndsWithTheServer) {
  const auto socket = open([](ServedConnection& connection) { upgrade(connection); });
  ASSERT_TRUE(socket.ok()) << socket.error().message();
  const auto nothing = fakes::await(loop_, (*socket)->receive());
  ASSERT_FALSE(nothing.ok());
  EXPECT_EQ(nothing.error().code(), Code::unavailable);
}

TEST_F(WebSocketTest, TakesNoMessageBeyondTheBound) {
  const auto socket = open([](ServedConnection& connection) {
    upgrade(connection);
    connection.write(frame(std::string(WebSocket::kMessageMax + 1, 'x')));
    connection.wait_for_peer_to_close();
  });
  ASSERT_TRUE(socket.ok()) << socket.error().message();
  const auto refused = fakes::await(loop_, (*socket)->receive());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), Code::refused);
}

TEST_F(WebSocketTest, ClosingTheClientEndsWhatWaits) {
  const auto socket = open([](ServedConnection& connection) {
    upgrade(connection);
    connection.wait_for_peer_to_close();
  });
  ASSERT_TRUE(socket.ok()) << socket.error().message();
  std::optional<Result<std::string>> heard;
  fakes::start(loop_, (*socket)->receive(), heard);
  loop_.restart();
  loop_.poll();
  EXPECT_FALSE(heard);
  client_->close();
  fakes::run_until(loop_, [&] { return heard.has_value(); });
  ASSERT_TRUE(heard);
  ASSERT_FALSE(heard->ok());
  EXPECT_EQ(heard->error().code(), Code::cancelled);
}

}  // namespace
}  // namespace gateway::core::net
