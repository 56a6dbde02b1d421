// What the control socket answers about the accounts of the console (crypto/accounts.h):
//
//   GET    /v1/accounts        {"accounts":[{"name","role","created_at"}]}
//   POST   /v1/accounts        {"name","role"} on one line, the password as raw bytes after it
//                              -> the account; Code::exists where the name is taken
//   DELETE /v1/accounts/NAME   {"removed":"NAME"}
//
// Changes are in the audit trail in the same transaction. No answer holds a password. Blocking:
// called off the loop.
#pragma once

#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/json.h"
#include "core/result.h"
#include "daemon/ops/control.h"
#include "sync/holdings.h"

namespace gateway::daemon {

inline constexpr std::string_view kAccountRoutes = "/v1/accounts";

core::Result<core::Json> answer_accounts(sync::Holdings& holdings, const core::Clock& clock,
                                         std::string_view method, std::string_view path,
                                         std::string_view body, const Caller& caller);

}  // namespace gateway::daemon
