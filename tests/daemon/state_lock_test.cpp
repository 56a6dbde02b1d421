#include "daemon/state_lock.h"

#include <gtest/gtest.h>

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

TEST(StateLock, SaysWhereItCannotBeTaken) {
  const auto lock = StateLock::take("/proc/nothing");
  ASSERT_FALSE(lock.ok());
  EXPECT_NE(lock.error().message().find("storage.state_dir"), std::string::npos);
}

}  // namespace
}  // namespace gateway::daemon
