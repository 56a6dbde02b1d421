#include "daemon/ops/accounts_routes.h"

#include "core/text.h"
#include "crypto/accounts.h"

namespace gateway::daemon {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::Json;

Json to_json(const crypto::Account& account) {
  return Json::object({{"name", account.name},
                       {"role", crypto::to_string(account.role)},
                       {"created_at", account.created_at}});
}

core::Result<Json> list(sync::Holdings& holdings) {
  GW_TRY(const auto accounts,
         holdings.database().read_value<std::vector<crypto::Account>>(
             [](crypto::Connection& connection) { return crypto::list_accounts(connection); }));
  Json rows = Json::array();
  for (const crypto::Account& account : accounts) rows.add(to_json(account));
  return Json::object({{"accounts", rows}});
}

core::Status change(sync::Holdings& holdings, const core::Clock& clock, const Caller& caller,
                    const char* action, const std::string& name,
                    const std::function<core::Status(crypto::Connection&)>& work) {
  return holdings.database().write([&](crypto::Connection& connection) -> core::Status {
    GW_CHECK(work(connection));
    return holdings.audit().append(connection, {.at = clock.wall(),
                                                .actor = caller.actor,
                                                .action = action,
                                                .resource = cat("account/", name),
                                                .patient = "",
                                                .source = caller.source,
                                                .outcome = "success"});
  });
}

core::Result<Json> add(sync::Holdings& holdings, const core::Clock& clock, std::string_view body,
                       const Caller& caller) {
  const auto line = body.find('\n');
  if (line == body.npos) return Error(Code::invalid, "the password follows the line of JSON");
  GW_TRY(const Json asked, Json::parse(body.substr(0, line), 4));
  const std::string_view password = body.substr(line + 1);
  const auto role = crypto::role_named(asked["role"].text());
  if (!role) return Error(Code::invalid, "the role is viewer, operator or admin");
  const crypto::Account account{std::string(asked["name"].text()), *role,
                                core::to_instant(clock.wall())};
  GW_CHECK(crypto::check_account_name(account.name));
  GW_CHECK(crypto::check_password(password));
  GW_TRY(const crypto::Verifier verifier,
         crypto::make_verifier({crypto::Secret::copy_of(password)}));
  GW_CHECK(
      change(holdings, clock, caller, "add", account.name, [&](crypto::Connection& connection) {
        return crypto::add_account(connection, account, verifier);
      }));
  return to_json(account);
}

}  // namespace

core::Result<Json> answer_accounts(sync::Holdings& holdings, const core::Clock& clock,
                                   std::string_view method, std::string_view path,
                                   std::string_view body, const Caller& caller) {
  if (path == kAccountRoutes) {
    if (method == "GET") return list(holdings);
    if (method == "POST") return add(holdings, clock, body, caller);
    return Error(Code::refused, "this route takes GET and POST");
  }
  if (method != "DELETE") return Error(Code::refused, "this route takes DELETE");
  const std::string name(path.substr(kAccountRoutes.size() + 1));
  GW_CHECK(change(holdings, clock, caller, "remove", name, [&](crypto::Connection& connection) {
    return crypto::remove_account(connection, name);
  }));
  return Json::object({{"removed", name}});
}

}  // namespace gateway::daemon
