#include "sync/bearer_client.h"

#include <algorithm>
#include <utility>

#include "core/text.h"

namespace gateway::sync {
namespace {

using core::net::Awaitable;
using core::net::HttpRequest;
using core::net::HttpResponse;

class BearerClient final : public core::net::HttpClient {
 public:
  BearerClient(std::shared_ptr<HttpClient> server, const std::string& token)
      : server_(std::move(server)), authorization_(core::cat("Bearer ", token)) {}

  Awaitable<core::Result<HttpResponse>> send(HttpRequest request) override {
    request.headers.emplace_back("Authorization", authorization_);
    co_return co_await server_->send(std::move(request));
  }
  Awaitable<core::Result<std::shared_ptr<core::net::WebSocket>>> open_socket(
      HttpRequest request) override {
    request.headers.emplace_back("Authorization", authorization_);
    co_return co_await server_->open_socket(std::move(request));
  }
  void close() override { server_->close(); }
  core::Milliseconds opening_time() const override { return server_->opening_time(); }

 private:
  std::shared_ptr<HttpClient> server_;
  const std::string authorization_;
};

bool is_token_character(char c) {
  const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return is_letter || (c >= '0' && c <= '9') ||
         std::string_view("-._~+/=").find(c) != std::string_view::npos;
}

}  // namespace

bool is_bearer_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_token_character);
}

std::shared_ptr<core::net::HttpClient> with_bearer(std::shared_ptr<core::net::HttpClient> server,
                                                   const std::string& token) {
  return std::make_shared<BearerClient>(std::move(server), token);
}

}  // namespace gateway::sync
