#include "daemon/cli/accounts_command.h"

#include <string.h>

#include <memory>
#include <string>
#include <vector>

#include "core/text.h"
#include "daemon/cli/tables.h"
#include "daemon/cli/terminal.h"

namespace gateway::cli {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::Json;

struct Asked {
  std::string name;
  std::string role = "viewer";
};

std::string format_accounts(const Json& answer) {
  if (answer["accounts"].size() == 0)
    return "Nobody can sign in at the console; see clinic-gateway accounts add --help.\n";
  std::vector<std::vector<std::string>> rows{{"NAME", "ROLE", "SINCE"}};
  for (const Json& account : answer["accounts"].items()) {
    rows.push_back({std::string(account["name"].text()), std::string(account["role"].text()),
                    std::string(account["created_at"].text())});
  }
  return format_table(rows);
}

std::string format_added(const Json& account) {
  return cat(account["name"].text(), " can sign in now, as ", account["role"].text(), ".\n");
}

std::string format_removed(const Json& answer) {
  return cat(answer["removed"].text(), " cannot sign in any more; open sessions have ended.\n");
}

/// A slip of the finger must not become the password: a terminal is asked twice.
core::Result<std::string> read_new_password() {
  GW_TRY(std::string password, read_secret("Password: ", "password"));
  if (!is_interactive()) return password;
  GW_TRY(std::string again, read_secret("The same again: ", "password"));
  const bool same = password == again;
  ::explicit_bzero(again.data(), again.size());
  if (same) return password;
  ::explicit_bzero(password.data(), password.size());
  return Error(Code::invalid, "the two are not the same; nothing was changed");
}

int add(const CommonOptions& common, const Asked& asked) {
  auto password = read_new_password();
  if (!password.ok()) return complain(common, password.error());
  std::string body = Json::object({{"name", asked.name}, {"role", asked.role}}).dump();
  body.reserve(body.size() + password->size() + 1);
  body += '\n';
  body += *password;
  ::explicit_bzero(password->data(), password->size());
  const auto answer = ask(common.socket, post("/v1/accounts", body), kTimeout);
  ::explicit_bzero(body.data(), body.size());
  if (!answer.ok()) return complain(common, answer.error());
  return print(common, *answer, format_added);
}

int remove(const CommonOptions& common, const Asked& asked) {
  core::net::HttpRequest request = get(cat("/v1/accounts/", core::net::url_encode(asked.name)));
  request.method = "DELETE";
  const auto answer = ask(common.socket, std::move(request), kTimeout);
  if (!answer.ok()) return complain(common, answer.error());
  return print(common, *answer, format_removed);
}

}  // namespace

void add_accounts_commands(CLI::App& app, const CommonOptions& common,
                           std::function<int()>& action) {
  const auto asked = std::make_shared<Asked>();
  CLI::App* accounts = app.add_subcommand("accounts", "the people who sign in at the console");
  accounts->fallthrough();
  const auto list = [&common] { return show(common, "/v1/accounts", format_accounts); };
  accounts->callback([&action, list] {
    // A subcommand's own action stands.
    if (!action) action = list;
  });
  const auto command = [&](const char* name, const char* what, std::function<int()> act) {
    CLI::App* sub = accounts->add_subcommand(name, what);
    sub->fallthrough();
    sub->callback([&action, act = std::move(act)] { action = act; });
    return sub;
  };
  command("list", "who can, and as what", list);
  CLI::App* one = command("add", "let somebody in; asks for the password, or reads it from stdin",
                          [&common, asked] { return add(common, *asked); });
  one->add_option("name", asked->name, "of a-z, 0-9, '.', '-' and '_'")->required();
  one->add_option("--role", asked->role,
                  "viewer sees, operator also decides and sends again, admin also sees the audit "
                  "trail and the keys")
      ->check(CLI::IsMember({"viewer", "operator", "admin"}))
      ->capture_default_str();
  command("remove", "let somebody in no more", [&common, asked] { return remove(common, *asked); })
      ->add_option("name", asked->name, "the account's name")
      ->required();
}

}  // namespace gateway::cli
