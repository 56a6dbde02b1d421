#include "crypto/accounts.h"

#include <gtest/gtest.h>

#include "crypto/migrations.h"
#include "tests/crypto/keys.h"
#include "tests/crypto/scratch_folder.h"

namespace gateway::crypto {
namespace {

class AccountsTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto schema = migrations();
    auto opened =
        Database::open(folder_.path() + "/db", Secret::copy_of(std::string(32, 'k')), schema);
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    database_ = std::move(*opened);
  }
  core::Status add(const std::string& name, Role role, std::string_view password) {
    GW_TRY(const Verifier verifier, make_verifier(passphrase(password)));
    return database_->write([&](Connection& connection) {
      return add_account(connection, {name, role, "2026-03-01T08:00:00Z"}, verifier);
    });
  }
  std::optional<Account> try_in(const std::string& name, std::string_view password) {
    auto account = sign_in(*database_, name, passphrase(password));
    EXPECT_TRUE(account.ok());
    return account.ok() ? *account : std::nullopt;
  }

  ScratchFolder folder_;
  std::unique_ptr<Database> database_;
};

TEST_F(AccountsTest, LetInByTheRightPasswordOnly) {
  ASSERT_TRUE(add("maria", Role::operating, "four words of hers").ok());
  const auto account = try_in("maria", "four words of hers");
  ASSERT_TRUE(account.has_value());
  EXPECT_EQ(account->role, Role::operating);
  EXPECT_FALSE(try_in("maria", "four words of his"));
  EXPECT_FALSE(try_in("maria", ""));
  EXPECT_FALSE(try_in("nobody", "four words of hers"));
  EXPECT_EQ(add("maria", Role::admin, "another password").error().code(), core::Code::exists);
}

TEST_F(AccountsTest, AreListedAndRemoved) {
  ASSERT_TRUE(add("maria", Role::viewer, "four words of hers").ok());
  ASSERT_TRUE(add("jon", Role::admin, "four words of his").ok());
  const auto list = database_->read_value<std::vector<Account>>(
      [](Connection& connection) { return list_accounts(connection); });
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->size(), 2U);
  EXPECT_EQ((*list)[0].name, "jon");
  EXPECT_EQ((*list)[0].role, Role::admin);
  const auto remove = [&](const char* name) {
    return database_->write(
        [&](Connection& connection) { return remove_account(connection, name); });
  };
  EXPECT_TRUE(remove("maria").ok());
  EXPECT_FALSE(try_in("maria", "four words of hers"));
  EXPECT_EQ(remove("maria").error().code(), core::Code::not_found);
}

TEST(Accounts, NamesAndPasswordsHaveAForm) {
  for (const char* good : {"a", "maria", "m.garcia-2_x"})
    EXPECT_TRUE(check_account_name(good).ok());
  for (const char* bad :
       {"", "Maria", "1a", "ma ria", "maría", ".a", "a23456789012345678901234567890123"}) {
    EXPECT_FALSE(check_account_name(bad).ok()) << bad;
  }
  EXPECT_FALSE(check_password("eleven char").ok());
  EXPECT_TRUE(check_password("twelve chars").ok());
  EXPECT_FALSE(check_password(std::string(257, 'x')).ok());
  EXPECT_EQ(role_named("operator"), Role::operating);
  EXPECT_EQ(to_string(Role::operating), "operator");
  EXPECT_FALSE(role_named("root"));
}

}  // namespace
}  // namespace gateway::crypto
