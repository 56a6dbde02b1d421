// A FHIR client of the tests: one request at a time over the gateway's own HTTPS client.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <string>

#include "core/json.h"
#include "core/net/http.h"

namespace gateway::daemon {

struct FhirAnswered {
  int status = 0;  // 0: no answer
  core::Json body;
  core::net::HttpResponse http;
  std::string error;
};

class FhirTestClient {
 public:
  explicit FhirTestClient(core::net::HttpClientOptions options) : options_(std::move(options)) {}
  void use_token(const std::string& token) { token_ = token; }

  FhirAnswered send(const std::string& method, const std::string& target,
                    const std::string& body = "", core::net::Headers headers = {}) {
    core::net::HttpRequest request;
    request.method = method;
    request.target = target;
    request.body = body;
    if (!token_.empty()) headers.emplace_back("Authorization", "Bearer " + token_);
    const bool typed = method == "PATCH" || body.empty();
    if (!typed) headers.emplace_back("Content-Type", "application/fhir+json");
    if (method == "PATCH") headers.emplace_back("Content-Type", "application/json-patch+json");
    request.headers = std::move(headers);
    FhirAnswered answered;
    boost::asio::io_context loop(1);
    auto client = core::net::HttpClient::create(loop.get_executor(), options_);
    if (!client.ok()) {
      answered.error = client.error().message();
      return answered;
    }
    boost::asio::co_spawn(loop, ask(*client, std::move(request), answered), boost::asio::detached);
    loop.run();
    if (auto json = core::Json::parse(answered.http.body); json.ok()) answered.body = *json;
    return answered;
  }

 private:
  static core::net::Awaitable<void> ask(std::shared_ptr<core::net::HttpClient> client,
                                        core::net::HttpRequest request, FhirAnswered& out) {
    auto answer = co_await client->send(std::move(request));
    client->close();
    if (!answer.ok()) {
      out.error = answer.error().message();
      co_return;
    }
    out.status = answer->status;
    out.http = std::move(*answer);
  }

  core::net::HttpClientOptions options_;
  std::string token_;
};

}  // namespace gateway::daemon
