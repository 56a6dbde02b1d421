// Local accounts of the people who sign in at the gateway's console. Of a password the database
// keeps an Argon2id verifier (RFC 9106, 32 MiB) with a salt of its own; the password itself is
// nowhere. Functions that take a Connection run inside the caller's change or snapshot; the others
// take a tenth of a second and 32 MiB, on any thread that may wait.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "crypto/database.h"
#include "crypto/passphrase_stretch.h"

namespace gateway::crypto {

/// Each may do what those before it may: see; decide and send again; audit trail and keys.
enum class Role { viewer, operating, admin };
/// "viewer", "operator", "admin".
std::string_view to_string(Role role);
std::optional<Role> role_named(std::string_view name);

struct Account {
  std::string name;
  Role role = Role::viewer;
  std::string created_at;  // FHIR instant
};

/// What is kept of a password.
struct Verifier {
  std::string salt;
  PassphraseCost cost;
  Secret key;
};

/// Code::invalid unless 1 to 32 of a-z, 0-9, '.', '-', '_', a letter first.
core::Status check_account_name(std::string_view name);
/// Code::invalid unless 12 to 256 bytes.
core::Status check_password(std::string_view password);

core::Result<Verifier> make_verifier(const Passphrase& password);
core::Result<bool> fits(const Passphrase& password, const Verifier& verifier);

/// Code::exists: the name is taken.
core::Status add_account(Connection& connection, const Account& account, const Verifier& verifier);
/// Code::not_found.
core::Status remove_account(Connection& connection, const std::string& name);
/// By name.
core::Result<std::vector<Account>> list_accounts(Connection& connection);

/// The account of that name and password, or nothing. Takes as long for a name nobody has.
core::Result<std::optional<Account>> sign_in(Database& database, const std::string& name,
                                             const Passphrase& password);

}  // namespace gateway::crypto
