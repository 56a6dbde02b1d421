#include "daemon/state_lock.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "temp_folder.h"

namespace gateway::daemon {
namespace {

TEST(StateLock, OneHolderAtATime) {
  const TempFolder folder;
  auto first = StateLock::take(folder.path() + "/state");
  ASSERT_TRUE(first.ok()) << first.error().message();
  const auto second = StateLock::take(folder.path() + "/state");
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code(), core::Code::exists);
  first->reset();
  EXPECT_TRUE(StateLock::take(folder.path() + "/state").ok());
}

// A restore by root that failed must leave the service what it needs to start.
TEST(StateLock, MadeByRootItBelongsToWhoeverOwnsTheFolder) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  constexpr uid_t kService = 4321;
  const TempFolder folder;
  const std::string state = folder.path() + "/state";
  std::filesystem::create_directory(state);
  ASSERT_EQ(::chown(state.c_str(), kService, kService), 0);
  ASSERT_TRUE(StateLock::take(state).ok());
  struct stat lock {};
  ASSERT_EQ(::stat((state + "/lock").c_str(), &lock), 0);
  EXPECT_EQ(lock.st_uid, kService);
  EXPECT_EQ(lock.st_gid, kService);
}

TEST(StateLock, SaysWhereItCannotBeTaken) {
  const auto lock = StateLock::take("/proc/nothing");
  ASSERT_FALSE(lock.ok());
  EXPECT_NE(lock.error().message().find("storage.state_dir"), std::string::npos);
}

}  // namespace
}  // namespace gateway::daemon
