// Tokens by SMART Backend Services, against a token server that checks the assertion with OpenSSL.
#include "sync/backend_services.h"

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <boost/asio/io_context.hpp>
#include <mutex>
#include <set>

#include "core/civil_time.h"
#include "core/json.h"
#include "core/text.h"
#include "crypto/base64url.h"
#include "tests/fakes/tls_server.h"
#include "tests/fakes/waiting.h"

namespace gateway::sync {
namespace {

using core::Json;

struct KeyPair {
  EVP_PKEY* key;
  explicit KeyPair(EVP_PKEY* made) : key(made) {}
  KeyPair(const KeyPair&) = delete;
  KeyPair& operator=(const KeyPair&) = delete;
  ~KeyPair() { EVP_PKEY_free(key); }
  std::string pem() const {
    BIO* out = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
    char* text = nullptr;
    const auto size = BIO_get_mem_data(out, &text);
    std::string copy(text, static_cast<std::size_t>(size));
    BIO_free(out);
    return copy;
  }
};

/// r and s side by side as the DER sequence OpenSSL verifies.
std::string der_of(const std::string& joined) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(joined.data());
  const int half = static_cast<int>(joined.size() / 2);
  ECDSA_SIG* parts = ECDSA_SIG_new();
  ECDSA_SIG_set0(parts, BN_bin2bn(bytes, half, nullptr), BN_bin2bn(bytes + half, half, nullptr));
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(parts, &der);
  std::string copy(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  ECDSA_SIG_free(parts);
  return copy;
}

struct Token {
  Json header;
  Json claims;
  bool verified = false;
};

Token opened(const std::string& text, const KeyPair& keys) {
  const auto first = text.find('.');
  const auto second = text.find('.', first + 1);
  Token token;
  token.header = *Json::parse(*crypto::from_base64url(text.substr(0, first)));
  token.claims = *Json::parse(*crypto::from_base64url(text.substr(first + 1, second - first - 1)));
  std::string signature = *crypto::from_base64url(text.substr(second + 1));
  if (token.header["alg"].text() == "ES384") signature = der_of(signature);
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  EVP_DigestVerifyInit(context, nullptr, EVP_sha384(), nullptr, keys.key);
  token.verified =
      EVP_DigestVerify(context, reinterpret_cast<const unsigned char*>(signature.data()),
                       signature.size(), reinterpret_cast<const unsigned char*>(text.data()),
                       second) == 1;
  EVP_MD_CTX_free(context);
  return token;
}

class BackendServicesTest : public ::testing::Test {
 protected:
  void serve(std::function<void(fakes::ServedConnection&, const fakes::ServedRequest&)> answer) {
    server_ = std::make_unique<fakes::TlsServer>(
        fakes::TlsServerOptions{}, [this, answer](fakes::ServedConnection& connection) {
          while (auto request = connection.read_request()) {
            {
              const std::lock_guard lock(mutex_);
              requests_.push_back(*request);
            }
            answer(connection, *request);
          }
        });
    core::net::HttpClientOptions options;
    options.url = core::cat("http://127.0.0.1:", server_->port());
    options.plain_allowed = true;
    const auto made = [&] { return *core::net::HttpClient::create(loop_.get_executor(), options); };
    auto key = crypto::JoseKey::read(keys_.pem());
    ASSERT_TRUE(key.ok()) << key.error().message();
    client_ = with_backend_services(loop_.get_executor(), made(), made(), asked(), std::move(*key),
                                    core::system_clock());
  }
  BackendServicesOptions asked() const {
    return {core::cat("http://127.0.0.1:", server_ ? server_->port() : 0, "/auth/token"),
            "clinic-07", "key-1", "system/*.cruds"};
  }
  void TearDown() override {
    if (client_) client_->close();
    loop_.restart();
    loop_.poll();
    client_.reset();
    server_.reset();
  }
  int get_status() {
    core::net::HttpRequest request;
    request.target = "/Patient/1";
    auto answer = fakes::await(loop_, client_->send(std::move(request)));
    EXPECT_TRUE(answer.ok()) << answer.error().message();
    return answer.ok() ? answer->status : 0;
  }
  static void reply(fakes::ServedConnection& connection, std::string_view status,
                    std::string_view body, std::string_view headers = "") {
    connection.write(core::cat("HTTP/1.1 ", status, "\r\n", headers,
                               "Content-Length: ", body.size(), "\r\n\r\n", body));
  }
  static bool asks_for_token(const fakes::ServedRequest& request) {
    return request.head.starts_with("POST /auth/token ");
  }
  Token assertion_in(const fakes::ServedRequest& request) const {
    constexpr std::string_view kName = "client_assertion=";
    const auto at = request.body.find(kName) + kName.size();
    return opened(request.body.substr(at, request.body.find('&', at) - at), keys_);
  }

  KeyPair keys_{EVP_EC_gen("P-384")};
  boost::asio::io_context loop_;
  std::mutex mutex_;
  std::vector<fakes::ServedRequest> requests_;  // guarded by mutex_
  std::unique_ptr<fakes::TlsServer> server_;
  std::shared_ptr<core::net::HttpClient> client_;
};

TEST_F(BackendServicesTest, AnAssertionIsSignedByEitherKindOfKey) {
  const KeyPair rsa(EVP_RSA_gen(2'048));
  const auto now = core::Wall(std::chrono::seconds(1'772'352'000));
  for (const KeyPair* keys : {static_cast<const KeyPair*>(&keys_), &rsa}) {
    const auto key = crypto::JoseKey::read(keys->pem());
    ASSERT_TRUE(key.ok()) << key.error().message();
    const auto text = client_assertion(asked(), **key, now, "id-1");
    ASSERT_TRUE(text.ok());
    const Token token = opened(*text, *keys);
    EXPECT_TRUE(token.verified);
    EXPECT_EQ(token.header["alg"].text(), keys == &rsa ? "RS384" : "ES384");
    EXPECT_EQ(token.header["kid"].text(), "key-1");
    EXPECT_EQ(token.claims["iss"].text(), "clinic-07");
    EXPECT_EQ(token.claims["sub"].text(), "clinic-07");
    EXPECT_EQ(token.claims["aud"].text(), asked().token_url);
    EXPECT_EQ(token.claims["jti"].text(), "id-1");
    EXPECT_LE(*token.claims["exp"].integer(), 1'772'352'000 + 300);
  }
}

TEST_F(BackendServicesTest, AKeyThatSignsNeitherWayIsRefused) {
  const KeyPair other_curve(EVP_EC_gen("P-256"));
  EXPECT_FALSE(crypto::JoseKey::read(other_curve.pem()).ok());
  EXPECT_FALSE(crypto::JoseKey::read("no key").ok());
}

TEST_F(BackendServicesTest, OneTokenServesManyRequestsAndIsRenewedWhenTheServerForgetsIt) {
  int given = 0;
  std::set<std::string> revoked;
  serve([&](auto& connection, const auto& request) {
    if (asks_for_token(request))
      return reply(connection, "200 OK",
                   core::cat(R"({"access_token":"t)", ++given, R"(","expires_in":300})"));
    const auto at = request.head.find("Bearer ") + 7;
    const std::string shown = request.head.substr(at, request.head.find('\r', at) - at);
    reply(connection, revoked.contains(shown) ? "401 Unauthorized" : "200 OK", "");
  });
  EXPECT_EQ(get_status(), 200);
  EXPECT_EQ(get_status(), 200);
  EXPECT_EQ(given, 1);
  revoked.insert("t1");
  EXPECT_EQ(get_status(), 200);
  EXPECT_EQ(given, 2);
  EXPECT_TRUE(assertion_in(requests_[0]).verified);
  EXPECT_NE(assertion_in(requests_[0]).claims["jti"], assertion_in(requests_[4]).claims["jti"]);
}

TEST_F(BackendServicesTest, AClockThatIsOffIsPutRightByTheServers) {
  constexpr std::int64_t kServed = 2'000'000'000;  // 2033-05-18T03:33:20Z
  serve([&](auto& connection, const auto& request) {
    if (!asks_for_token(request)) return reply(connection, "200 OK", "");
    const auto until = *assertion_in(request).claims["exp"].integer();
    const bool is_good = until > kServed && until <= kServed + 300;
    reply(connection, is_good ? "200 OK" : "400 Bad Request",
          is_good ? R"({"access_token":"t","expires_in":300})" : R"({"error":"invalid_client"})",
          "Date: Wed, 18 May 2033 03:33:20 GMT\r\n");
  });
  EXPECT_EQ(get_status(), 200);
  EXPECT_EQ(requests_.size(), 3u);
}

TEST_F(BackendServicesTest, ARefusalSaysWhatToDo) {
  serve([](auto& connection, const auto&) {
    reply(connection, "401 Unauthorized", R"({"error":"invalid_client"})");
  });
  auto answer = fakes::await(loop_, client_->send({}));
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code(), core::Code::unavailable);
  EXPECT_NE(answer.error().message().find("invalid_client"), std::string::npos);
  EXPECT_NE(answer.error().message().find("client_id"), std::string::npos);
}

}  // namespace
}  // namespace gateway::sync
