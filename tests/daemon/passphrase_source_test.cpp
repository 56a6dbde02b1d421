#include "daemon/passphrase_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "crypto/octets.h"
#include "temp_folder.h"

namespace gateway::daemon {
namespace {

using testing::HasSubstr;

void put(const std::string& file, const std::string& text) { std::ofstream(file) << text; }

TEST(PassphraseSource, TheConfiguredFileWinsOverTheCredential) {
  const TempFolder folder;
  put(folder.path() + "/passphrase", "from systemd\n");
  put(folder.path() + "/mine", "from the file\n");
  const PassphraseSource source(folder.path() + "/mine", folder.path());
  const auto passphrase = source.read();
  ASSERT_TRUE(passphrase.ok());
  EXPECT_EQ(crypto::as_text(passphrase->text.bytes()), "from the file");
}

TEST(PassphraseSource, TheCredentialServesWhereNoFileIsConfigured) {
  const TempFolder folder;
  put(folder.path() + "/passphrase", "from systemd");
  const PassphraseSource source("", folder.path());
  ASSERT_TRUE(source.read().ok());
  EXPECT_FALSE(PassphraseSource("", "").configured());
  EXPECT_FALSE(PassphraseSource("", folder.path() + "/none").configured());
}

TEST(PassphraseSource, SaysWhatToDoWhenNothingIsThere) {
  const auto none = PassphraseSource("", "").read();
  ASSERT_FALSE(none.ok());
  EXPECT_THAT(none.error().message(), HasSubstr("clinic-gateway unlock"));
  const auto missing = PassphraseSource("/nowhere/passphrase", "").read();
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code(), core::Code::not_found);
  EXPECT_THAT(missing.error().message(), HasSubstr("/nowhere/passphrase"));
}

TEST(PassphraseSource, TheFingerprintChangesWithTheFile) {
  const TempFolder folder;
  const std::string file = folder.path() + "/p";
  const PassphraseSource source(file, "");
  EXPECT_EQ(source.fingerprint(), "");
  put(file, "one");
  const std::string first = source.fingerprint();
  EXPECT_NE(first, "");
  EXPECT_EQ(source.fingerprint(), first);
  put(file + ".new", "two");
  std::filesystem::rename(file + ".new", file);
  EXPECT_NE(source.fingerprint(), first);
}

}  // namespace
}  // namespace gateway::daemon
