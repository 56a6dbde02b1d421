// kill -9 on a process that writes from several threads: what it had been told was committed is
// there when the file is opened again. The victim is this same test binary, started anew, so that
// no lock or thread of the parent comes with it.
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "core/text.h"
#include "crypto/database.h"
#include "tests/crypto/scratch_folder.h"

extern char** environ;

namespace gateway::crypto {
namespace {

constexpr int kThreads = 4;
constexpr std::array<Migration, 1> kSchema = {
    Migration{"core", 1, "told",
              "CREATE TABLE told (thread INTEGER, number INTEGER, PRIMARY KEY (thread, number));"}};

core::Result<std::unique_ptr<Database>> open_at(const std::string& path) {
  return Database::open(path, Secret::copy_of(std::string(kKeyBytes, 'k')), kSchema);
}

/// Writes numbers and tells each one on standard output after its commit, until it is killed.
TEST(DatabaseKillVictim, DISABLED_WritesUntilKilled) {
  const char* path = std::getenv("GATEWAY_TEST_DATABASE");
  if (path == nullptr) GTEST_SKIP() << "only the kill test starts this";
  const int round = std::atoi(std::getenv("GATEWAY_TEST_ROUND"));
  auto database = open_at(path);
  ASSERT_TRUE(database.ok()) << database.error().message();
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0;; ++i) {
        const int number = round * 1000000 + i;
        auto status = (*database)->write([&](Connection& connection) {
          return connection.run("INSERT INTO told VALUES (?, ?)", t, number);
        });
        const std::string line = core::cat("+", t, " ", number, "\n");
        if (!status.ok() || ::write(STDOUT_FILENO, line.data(), line.size()) < 0) std::abort();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

std::string run_and_kill(const std::string& path, int round, std::size_t enough_lines) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  ::posix_spawn_file_actions_addclose(&actions, ends[0]);
  ::setenv("GATEWAY_TEST_DATABASE", path.c_str(), 1);
  ::setenv("GATEWAY_TEST_ROUND", core::cat(round).c_str(), 1);
  std::string filter = "--gtest_filter=DatabaseKillVictim.*";
  std::string disabled = "--gtest_also_run_disabled_tests";
  std::string name = "crypto_tests";
  std::array<char*, 4> arguments = {name.data(), filter.data(), disabled.data(), nullptr};
  pid_t child = 0;
  EXPECT_EQ(::posix_spawn(&child, "/proc/self/exe", &actions, nullptr, arguments.data(), environ),
            0);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);

  std::string told;
  std::array<char, 4096> buffer;
  bool killed = false;
  while (true) {
    const ssize_t got = ::read(ends[0], buffer.data(), buffer.size());
    if (got <= 0) break;
    told.append(buffer.data(), static_cast<std::size_t>(got));
    if (!killed &&
        static_cast<std::size_t>(std::count(told.begin(), told.end(), '+')) >= enough_lines) {
      ::kill(child, SIGKILL);
      killed = true;
    }
  }
  ::close(ends[0]);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << told;
  return told;
}

TEST(DatabaseKill, KeepsEveryCommitItToldOf) {
  ScratchFolder folder;
  const std::string path = folder / "gateway.db";
  std::string told;
  for (int round = 0; round < 5; ++round) {
    told += run_and_kill(path, round, 40 + 77 * static_cast<std::size_t>(round));
  }
  auto database = open_at(path);
  ASSERT_TRUE(database.ok()) << database.error().message();
  auto checked = (*database)->read([&](Connection& connection) -> core::Status {
    std::size_t lines = 0;
    for (std::size_t at = told.find('+'); at != std::string::npos; at = told.find('+', at + 1)) {
      const std::size_t end = told.find('\n', at);
      const std::size_t space = told.find(' ', at);
      if (end == std::string::npos) break;
      GW_TRY(auto there, connection.integer("SELECT 1 FROM told WHERE thread = ? AND number = ?",
                                            std::stoll(told.substr(at + 1, space - at - 1)),
                                            std::stoll(told.substr(space + 1, end - space - 1))));
      EXPECT_TRUE(there.has_value()) << told.substr(at, end - at);
      ++lines;
    }
    EXPECT_GE(lines, 900u);
    GW_TRY(auto verdict, connection.text("PRAGMA integrity_check"));
    EXPECT_EQ(verdict, "ok");
    return {};
  });
  EXPECT_TRUE(checked.ok());
}

}  // namespace
}  // namespace gateway::crypto
