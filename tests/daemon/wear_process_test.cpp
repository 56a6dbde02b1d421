// The daemon beside a folder in which reports of smartctl come and go.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <fstream>

#include "core/text.h"
#include "daemon/ops/wear.h"
#include "daemon_process.h"

namespace gateway::daemon {
namespace {

using core::cat;
using core::Json;
using testing::HasSubstr;
using testing::Not;

class WearProcess : public testing::Test {
 protected:
  WearProcess() {
    daemon_.configure(cat("[wear]\ndir = \"", reports_.path(), "\"\n"));
    struct stat about {};
    EXPECT_EQ(::stat(daemon_.folder().c_str(), &about), 0);
    const auto disks = disks_below("/sys", major(about.st_dev), minor(about.st_dev));
    if (!disks.empty()) disk_ = disks.front();
  }
  void say(const std::string& content) {
    const std::string file = cat(reports_.path(), "/", disk_, ".json");
    std::ofstream(file + ".new") << content;
    ::rename((file + ".new").c_str(), file.c_str());
  }
  void say(bool passed, int used) {
    say(cat(R"({"json_format_version":[1,0],"smartctl":{"exit_status":)", passed ? 0 : 8,
            R"(},"smart_status":{"passed":)", passed ? "true" : "false",
            R"(},"nvme_smart_health_information_log":{"percentage_used":)", used,
            R"(,"media_errors":0}})"));
  }
  Json wear() const { return daemon_.status()["wear"][0]; }
  std::string problems() const { return daemon_.status()["problems"].dump(); }

  TempFolder reports_;
  std::string disk_ = "sda";  // where the file system does not say on which it lies
  DaemonProcess daemon_;
};

TEST_F(WearProcess, WhatTheDiskSaysIsInStatusAndDoctorAndProblemsComeAndGo) {
  daemon_.start();
  ASSERT_TRUE(daemon_.reaches("ready")) << daemon_.log();
  EXPECT_TRUE(daemon_.status()["wear"].is_null()) << "nobody asks the disks of this box";

  say(true, 12);
  EXPECT_EQ(wear()["disk"].text(), disk_);
  EXPECT_EQ(wear()["used_percent"].integer(), 12);
  EXPECT_TRUE(wear()["passed"].boolean());
  EXPECT_LT(wear()["age_s"].integer().value_or(9999), 600);
  EXPECT_THAT(problems(), Not(HasSubstr(disk_)));
  EXPECT_THAT(daemon_.ask({"doctor", "--config", daemon_.config_file()}).out,
              HasSubstr("12 % of its life is used"));

  say(true, 85);
  EXPECT_THAT(problems(), HasSubstr("85 % of the life it was made for is used; order another"));
  say(false, 85);
  EXPECT_THAT(problems(), HasSubstr("it says that it is failing"));
  EXPECT_THAT(daemon_.ask({"doctor", "--config", daemon_.config_file()}).out,
              HasSubstr("disk failure"));

  for (const std::string& bad : {std::string("garbage"), std::string(1 << 20, ' ')}) {
    say(bad);
    EXPECT_TRUE(wear()["passed"].is_null());
    EXPECT_THAT(problems(), HasSubstr("see smartctl --all"));
  }
  say(true, 12);
  EXPECT_THAT(problems(), Not(HasSubstr(disk_)));
  EXPECT_EQ(daemon_.stop(), 0) << daemon_.log();
}

TEST_F(WearProcess, TheDiskIsToldOfWhileLockedToo) {
  say(true, 101);
  daemon_.write_passphrase("the first passphrase");
  daemon_.start();
  ASSERT_TRUE(daemon_.reaches("ready")) << daemon_.log();
  ASSERT_EQ(daemon_.stop(), 0);
  daemon_.write_passphrase("not the passphrase");
  daemon_.start();
  ASSERT_TRUE(daemon_.reaches("locked")) << daemon_.log();
  EXPECT_THAT(problems(), HasSubstr("101 % of the life it was made for is used; back up"));
}

}  // namespace
}  // namespace gateway::daemon
