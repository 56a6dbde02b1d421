// Scopes, and who of the configuration a token or certificate is.
#include "daemon/api/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/text.h"
#include "daemon/settings.h"

namespace gateway::daemon {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kSite[] = "[site]\nname = \"a\"\n";
// printf %s secret | sha256sum
constexpr char kSecretHash[] = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

core::Config parse(const std::string& text) {
  auto config = core::Config::parse(kSite + text, "gateway.toml", all_config_keys());
  EXPECT_TRUE(config.ok()) << config.error().message();
  return *config;
}

std::string mistakes_in(const std::string& text) {
  std::string all;
  for (const ApiMistake& found : check_api(parse(text)))
    all += core::cat(found.key, ": ", found.what, "\n");
  return all;
}

TEST(Scope, IsOfSmartsSyntax) {
  const auto may = [](std::string_view text) {
    const auto scope = parse_scope(text);
    return scope.ok() ? core::cat(scope->type, " ", scope->may) : std::string("none");
  };
  EXPECT_EQ(may("system/Observation.rs"), "Observation rs");
  EXPECT_EQ(may("system/*.cruds"), "* cruds");
  EXPECT_EQ(may("system/*.read"), "* rs");
  EXPECT_EQ(may("system/Task.write"), "Task cud");
  EXPECT_EQ(may("system/*.*"), "* cruds");
  for (const char* text :
       {"", "system/", "system/Patient", "system/Patient.", "user/Patient.r", "system/Patient.sr",
        "system/Patient.rr", "system/Patient.x", "system/Pat ient.r", "system/.r"}) {
    EXPECT_EQ(may(text), "none") << text;
  }
}

TEST(Access, KnowsATokenByItsHashAndACertificateByItsNames) {
  const Access access =
      Access::from(parse(core::cat("[api]\nclient_ca_file = \"/ca.pem\"\n[api_client.app]\n"
                                   "scopes = [\"system/Patient.r\"]\ntoken_sha256 = \"",
                                   kSecretHash,
                                   "\"\n[api_client.tablet]\nscopes = [\"system/*.s\"]\n"
                                   "certificate_name = \"tablet-7\"\n")));
  ASSERT_TRUE(access.by_token("secret"));
  EXPECT_EQ(access.by_token("secret")->name, "app");
  EXPECT_TRUE(access.by_token("secret")->may('r', "Patient"));
  EXPECT_FALSE(access.by_token("secret")->may('s', "Patient"));
  EXPECT_FALSE(access.by_token("secret")->may('r', "Task"));
  EXPECT_FALSE(access.by_token(kSecretHash));
  EXPECT_FALSE(access.by_token(""));
  ASSERT_TRUE(access.by_certificate({"other", "tablet-7"}));
  EXPECT_TRUE(access.by_certificate({"tablet-7"})->may('s', "Task"));
  EXPECT_FALSE(access.by_certificate({}));
}

TEST(Access, MistakesAreNamed) {
  EXPECT_THAT(mistakes_in("[api]\nport = 8443\n"), HasSubstr("api.certificate_file"));
  EXPECT_THAT(mistakes_in("[api_client.a]\nscopes = [\"patient/*.rs\"]\ntoken_sha256 = \"00\"\n"),
              testing::AllOf(HasSubstr("patient/*.rs"), HasSubstr("64 hexadecimal digits")));
  EXPECT_THAT(mistakes_in("[api_client.a]\nscopes = [\"system/*.rs\"]\n"),
              HasSubstr("could never prove who it is"));
  EXPECT_THAT(mistakes_in("[api_client.a]\nscopes = [\"system/*.rs\"]\ncertificate_name = \"x\"\n"),
              HasSubstr("api.client_ca_file"));
  EXPECT_THAT(mistakes_in(""), IsEmpty());
}

}  // namespace
}  // namespace gateway::daemon
