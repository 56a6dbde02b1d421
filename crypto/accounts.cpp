#include "crypto/accounts.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/text.h"
#include "crypto/octets.h"

namespace gateway::crypto {
namespace {

using core::cat;
using core::Code;
using core::Error;

constexpr std::size_t kNameMax = 32;
constexpr std::size_t kPasswordMin = 12;
constexpr std::size_t kPasswordMax = 256;
constexpr PassphraseCost kCost{4, kPassphraseMemoryBytes};
constexpr std::array<std::pair<Role, std::string_view>, 3> kRoles = {
    {{Role::viewer, "viewer"}, {Role::operating, "operator"}, {Role::admin, "admin"}}};

bool is_name_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

struct Kept {
  Account account;
  Verifier verifier;
};

core::Result<std::optional<Kept>> read_account(Connection& connection, const std::string& name) {
  GW_TRY(auto rows, connection.query("SELECT role, created_at, salt, passes, memory_bytes, verifier"
                                     " FROM account WHERE name = ?",
                                     name));
  GW_TRY(const bool found, rows.next());
  if (!found) return std::optional<Kept>();
  const auto role = role_named(rows.text(0));
  if (!role) return Error(Code::corrupt, cat("the account ", name, " has an unknown role"));
  Kept kept;
  kept.account = {name, *role, std::string(rows.text(1))};
  kept.verifier.salt = as_text(rows.blob(2));
  kept.verifier.cost = {static_cast<std::uint64_t>(rows.integer(3)),
                        static_cast<std::uint64_t>(rows.integer(4))};
  kept.verifier.key = Secret::copy_of(rows.blob(5));
  return std::optional<Kept>(std::move(kept));
}

}  // namespace

std::string_view to_string(Role role) {
  return std::ranges::find(kRoles, role, &std::pair<Role, std::string_view>::first)->second;
}

std::optional<Role> role_named(std::string_view name) {
  const auto found = std::ranges::find(kRoles, name, &std::pair<Role, std::string_view>::second);
  if (found == kRoles.end()) return std::nullopt;
  return found->first;
}

core::Status check_account_name(std::string_view name) {
  const bool good = !name.empty() && name.size() <= kNameMax && name[0] >= 'a' && name[0] <= 'z' &&
                    std::ranges::all_of(name, is_name_letter);
  if (good) return {};
  return Error(Code::invalid, cat("an account's name is 1 to ", kNameMax,
                                  " of a-z, 0-9, '.', '-' and '_', a letter first"));
}

core::Status check_password(std::string_view password) {
  if (password.size() >= kPasswordMin && password.size() <= kPasswordMax) return {};
  return Error(Code::invalid,
               cat("a password has ", kPasswordMin, " to ", kPasswordMax,
                   " bytes; a few words that do not belong together are a good one"));
}

core::Result<Verifier> make_verifier(const Passphrase& password) {
  Verifier made{new_passphrase_salt(), kCost, {}};
  GW_TRY(made.key, stretch(password, made.salt, made.cost));
  return made;
}

core::Result<bool> fits(const Passphrase& password, const Verifier& verifier) {
  if (!is_bearable(verifier.cost) || !is_passphrase_salt(verifier.salt))
    return Error(Code::corrupt, "an account's verifier is damaged; remove it and add it again");
  GW_TRY(const Secret key, stretch(password, verifier.salt, verifier.cost));
  return same_secret(key, verifier.key);
}

core::Status add_account(Connection& connection, const Account& account, const Verifier& verifier) {
  GW_CHECK(check_account_name(account.name));
  auto added = connection.run(
      "INSERT INTO account (name, role, salt, passes, memory_bytes, verifier, created_at)"
      " VALUES (?, ?, ?, ?, ?, ?, ?)",
      account.name, to_string(account.role), as_octets(verifier.salt), verifier.cost.passes,
      verifier.cost.memory_bytes, verifier.key.bytes(), account.created_at);
  if (!added.ok() && added.error().code() == Code::exists) {
    return Error(Code::exists,
                 cat("there is an account ", account.name, " already; remove it first"));
  }
  return added;
}

core::Status remove_account(Connection& connection, const std::string& name) {
  GW_CHECK(connection.run("DELETE FROM account WHERE name = ?", name));
  if (connection.changes() > 0) return {};
  return Error(Code::not_found, cat("there is no account ", name));
}

core::Result<std::vector<Account>> list_accounts(Connection& connection) {
  GW_TRY(auto rows, connection.query("SELECT name, role, created_at FROM account ORDER BY name"));
  std::vector<Account> accounts;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return accounts;
    accounts.push_back({std::string(rows.text(0)), role_named(rows.text(1)).value_or(Role::viewer),
                        std::string(rows.text(2))});
  }
}

core::Result<std::optional<Account>> sign_in(Database& database, const std::string& name,
                                             const Passphrase& password) {
  GW_TRY(auto kept, database.read_value<std::optional<Kept>>(
                        [&](Connection& connection) { return read_account(connection, name); }));
  if (!kept) {
    GW_TRY(const Verifier unused, make_verifier(password));
    return std::optional<Account>();
  }
  GW_TRY(const bool right, fits(password, kept->verifier));
  if (!right) return std::optional<Account>();
  return std::optional<Account>(std::move(kept->account));
}

}  // namespace gateway::crypto
