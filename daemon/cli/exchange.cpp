#include "daemon/cli/exchange.h"

#include <cstdio>

#include "core/text.h"

namespace gateway::cli {

using core::cat;
using core::Json;

core::net::HttpRequest get(std::string target) {
  core::net::HttpRequest request;
  request.target = std::move(target);
  return request;
}

core::net::HttpRequest post(std::string target, std::string body) {
  core::net::HttpRequest request;
  request.method = "POST";
  request.target = std::move(target);
  request.headers = {{"Content-Type", "application/json"}};
  request.body = std::move(body);
  return request;
}

int complain(const CommonOptions& options, const core::Error& error) {
  if (options.json) {
    const Json document = Json::object(
        {{"error",
          Json::object({{"code", core::to_string(error.code())}, {"message", error.message()}})}});
    std::printf("%s\n", document.dump().c_str());
  }
  std::fprintf(stderr, "clinic-gateway: %s\n", error.message().c_str());
  return exit_code(error);
}

int print(const CommonOptions& options, const Json& document, Format format) {
  std::fputs(options.json ? cat(document.dump(), '\n').c_str() : format(document).c_str(), stdout);
  return std::fflush(stdout) == 0 ? kOk : kFailed;
}

int show(const CommonOptions& options, std::string target, Format format) {
  const auto answer = ask(options.socket, get(std::move(target)), kTimeout);
  if (!answer.ok()) return complain(options, answer.error());
  return print(options, *answer, format);
}

}  // namespace gateway::cli
