#include <gtest/gtest.h>

#include "core/net/http_wire.h"
#include "core/net/url.h"

namespace gateway::core::net {
namespace {

TEST(Url, DefaultsToTheSchemesPortAndDropsTheLastSlash) {
  const auto url = parse_url("https://HIS.example/fhir/");
  ASSERT_TRUE(url.ok());
  EXPECT_TRUE(url->tls);
  EXPECT_EQ(url->host, "his.example");
  EXPECT_EQ(url->port, 443);
  EXPECT_EQ(url->base, "/fhir");
  EXPECT_EQ(url->host_header(), "his.example");
  EXPECT_EQ(url->peer(), "his.example:443");
}

TEST(Url, TakesAddressesWithPorts) {
  const auto v6 = parse_url("http://[::1]:8080");
  ASSERT_TRUE(v6.ok());
  EXPECT_EQ(v6->host, "::1");
  EXPECT_EQ(v6->host_header(), "[::1]:8080");
  EXPECT_TRUE(v6->loopback());
  const auto v4 = parse_url("https://192.0.2.1:8443/dicom-web");
  ASSERT_TRUE(v4.ok());
  EXPECT_EQ(v4->host_header(), "192.0.2.1:8443");
  EXPECT_FALSE(v4->loopback());
}

TEST(Url, RefusesWhatIsNoBaseUrl) {
  for (const char* text : {"", "his.example", "ftp://his", "https://", "https://:80", "https://a:0",
                           "https://a:65536", "https://a:8x", "https://user@his", "https://his?x=1",
                           "https://his#top", "https://[::1", "https://[::1]x", "https://h is"}) {
    const auto url = parse_url(text);
    ASSERT_FALSE(url.ok()) << text;
    EXPECT_EQ(url.error().code(), Code::invalid);
  }
}

TEST(UrlEncode, LeavesOnlyUnreservedCharacters) {
  EXPECT_EQ(url_encode("Az09-._~"), "Az09-._~");
  EXPECT_EQ(url_encode("a b|c/\xc3\xa4"), "a%20b%7Cc%2F%C3%A4");
}

TEST(BasicAuthorization, IsBase64WithPadding) {
  EXPECT_EQ(basic_authorization("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  EXPECT_EQ(basic_authorization("a", "b"), "Basic YTpi");
  EXPECT_EQ(basic_authorization("a", "bc"), "Basic YTpiYw==");
}

class RequestHead : public ::testing::Test {
 protected:
  Url url = *parse_url("https://his.example:8443/fhir");
  HttpRequest request;
};

TEST_F(RequestHead, PutsTheBaseBeforeTheTarget) {
  request.method = "PUT";
  request.target = "/Patient/1";
  request.headers = {{"If-Match", "W/\"3\""}};
  const auto head = request_head(request, url, "Basic YTpi", 12);
  ASSERT_TRUE(head.ok());
  EXPECT_EQ(
      *head,
      "PUT /fhir/Patient/1 HTTP/1.1\r\nHost: his.example:8443\r\nUser-Agent: clinic-gateway\r\n"
      "Authorization: Basic YTpi\r\nIf-Match: W/\"3\"\r\nContent-Length: 12\r\n\r\n");
}

TEST_F(RequestHead, LetsNothingBreakOutOfItsLine) {
  const auto code = [&] {
    const auto head = request_head(request, url, "", {});
    return head.ok() ? Code::internal : head.error().code();
  };
  request.target = "/x HTTP/1.1\r\nEvil: 1";
  EXPECT_EQ(code(), Code::invalid);
  request.target = "no-slash";
  EXPECT_EQ(code(), Code::invalid);
  request.target = "/";
  request.headers = {{"Accept", "a\r\nEvil: 1"}};
  EXPECT_EQ(code(), Code::invalid);
  request.headers = {{"Bad Name", "a"}};
  EXPECT_EQ(code(), Code::invalid);
  request.headers = {};
  request.method = "GET /";
  EXPECT_EQ(code(), Code::invalid);
}

class ResponseBytes : public ::testing::TestWithParam<std::size_t> {};

// However the bytes are cut, the answer is the same.
TEST_P(ResponseBytes, ComeInAnyPieces) {
  const std::string wire =
      "HTTP/1.1 100 Continue\r\n\r\n"
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nETag: W/\"1\"\r\n\r\n5\r\nhello\r\n6\r\n "
      "world\r\n0\r\n\r\n";
  ResponseReader reader(false, 100);
  for (std::size_t at = 0; at < wire.size(); at += GetParam()) {
    ASSERT_FALSE(reader.done());
    ASSERT_TRUE(reader.take(wire.substr(at, GetParam())).ok());
  }
  ASSERT_TRUE(reader.done());
  EXPECT_TRUE(reader.keep_alive());
  const HttpResponse response = reader.take_response();
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "hello world");
  EXPECT_EQ(response.header("etag"), "W/\"1\"");
  EXPECT_EQ(response.header("absent"), "");
}

INSTANTIATE_TEST_SUITE_P(Sizes, ResponseBytes, ::testing::Values(1, 2, 7, 1000));

TEST(ResponseReader, EndsAtTheCloseWhereNoLengthIsGiven) {
  ResponseReader reader(false, 100);
  ASSERT_TRUE(reader.take("HTTP/1.0 200 OK\r\n\r\nall there is").ok());
  EXPECT_FALSE(reader.done());
  ASSERT_TRUE(reader.take_end().ok());
  EXPECT_FALSE(reader.keep_alive());
  EXPECT_EQ(reader.take_response().body, "all there is");
}

TEST(ResponseReader, ExpectsNoBodyAfterHead) {
  ResponseReader reader(true, 100);
  ASSERT_TRUE(reader.take("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n").ok());
  EXPECT_TRUE(reader.done());
}

TEST(ResponseReader, SaysWhenTheAnswerIsCutShort) {
  ResponseReader reader(false, 100);
  ASSERT_TRUE(reader.take("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf").ok());
  const auto end = reader.take_end();
  ASSERT_FALSE(end.ok());
  EXPECT_EQ(end.error().code(), Code::lost_answer);
}

TEST(ResponseReader, RefusesTooMuchAndOtherProtocols) {
  ResponseReader announced(false, 10);
  EXPECT_EQ(announced.take("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n").error().code(),
            Code::refused);
  ResponseReader chunked(false, 10);
  const auto many =
      chunked.take("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n");
  EXPECT_EQ(many.error().code(), Code::refused);
  ResponseReader other(false, 10);
  EXPECT_EQ(other.take("220 mail.example ESMTP\r\n").error().code(), Code::refused);
}

struct NotedBody final : BodySink {
  Status write(std::span<const std::byte> bytes) override {
    if (full) return Error(Code::no_space, "the disk is full");
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  }
  std::string text;
  bool full = false;
};

TEST(ResponseReader, HandsTheBodyOfASuccessToItsSinkWhateverItsSize) {
  NotedBody sink;
  ResponseReader reader(false, 10, &sink);
  ASSERT_TRUE(reader.take("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n0123456789").ok());
  EXPECT_EQ(sink.text, "0123456789");
  ASSERT_TRUE(reader.take("abcdefghij").ok());
  ASSERT_TRUE(reader.done());
  EXPECT_EQ(sink.text, "0123456789abcdefghij");
  EXPECT_EQ(reader.take_response().body, "");
}

TEST(ResponseReader, KeepsTheBodyOfARefusalAndItsLimitEvenWithASink) {
  NotedBody sink;
  ResponseReader reader(false, 10, &sink);
  ASSERT_TRUE(reader.take("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone").ok());
  EXPECT_EQ(reader.take_response().body, "none");
  EXPECT_EQ(sink.text, "");
  ResponseReader long_one(false, 10, &sink);
  const auto taken =
      long_one.take("HTTP/1.1 404 Not Found\r\nContent-Length: 11\r\n\r\nnot here at");
  ASSERT_FALSE(taken.ok());
  EXPECT_EQ(taken.error().code(), Code::refused);
}

TEST(ResponseReader, PassesOnWhyASinkTakesNoMore) {
  NotedBody sink;
  sink.full = true;
  ResponseReader reader(false, 10, &sink);
  const auto taken = reader.take("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody");
  ASSERT_FALSE(taken.ok());
  EXPECT_EQ(taken.error().code(), Code::no_space);
}

TEST(ResponseReader, DoesNotKeepAConnectionThatSaysMoreThanAsked) {
  ResponseReader reader(false, 10);
  ASSERT_TRUE(reader.take("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n").ok());
  ASSERT_TRUE(reader.done());
  EXPECT_FALSE(reader.keep_alive());
}

}  // namespace
}  // namespace gateway::core::net
