#include "daemon/cli/client.h"

#include <string.h>
#include <unistd.h>

#include "core/text.h"

namespace gateway::cli {
namespace {

using core::cat;
using core::Code;
using core::Error;

Error unreachable(const Error& error) {
  std::string message = error.message();
  // A folder closed to this user hides the socket: "not there" may mean "not for you".
  if (::geteuid() != 0) message += "; or use sudo";
  return Error(Code::unavailable, std::move(message));
}

Code code_named(std::string_view name) {
  for (const Code code :
       {Code::invalid, Code::not_found, Code::exists, Code::locked, Code::no_space, Code::busy,
        Code::corrupt, Code::io, Code::refused, Code::untrusted, Code::cancelled}) {
    if (core::to_string(code) == name) return code;
  }
  return Code::internal;
}

Error error_of(const std::string& socket, const core::net::HttpResponse& answer) {
  const auto json = core::Json::parse(answer.body);
  if (!json.ok()) {
    return Error(Code::internal, cat("HTTP ", answer.status, " without JSON on ", socket,
                                     "; is it the gateway's socket?"));
  }
  const core::Json& error = (*json)["error"];
  return Error(code_named(error["code"].text()), error["message"].text().empty()
                                                     ? cat("HTTP ", answer.status)
                                                     : std::string(error["message"].text()));
}

}  // namespace

core::Result<std::string> ask_bytes(const std::string& socket, core::net::HttpRequest request,
                                    core::Milliseconds timeout) {
  auto answer = core::net::unix_http_request(socket, request, timeout);
  if (!answer.ok()) return unreachable(answer.error());
  if (answer->status != 200) return error_of(socket, *answer);
  return std::move(answer->body);
}

core::Result<core::Json> ask(const std::string& socket, core::net::HttpRequest request,
                             core::Milliseconds timeout) {
  const auto answer = core::net::unix_http_request(socket, request, timeout);
  ::explicit_bzero(request.body.data(), request.body.size());  // perhaps a passphrase
  if (!answer.ok()) return unreachable(answer.error());
  if (answer->status != 200) return error_of(socket, *answer);
  auto json = core::Json::parse(answer->body);
  if (!json.ok()) return error_of(socket, *answer);
  return std::move(*json);
}

ExitCode exit_code(const Error& error) {
  if (error.code() == Code::unavailable) return kUnreachable;
  if (error.code() == Code::locked) return kLocked;
  return kFailed;
}

}  // namespace gateway::cli
