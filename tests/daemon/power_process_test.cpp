// The daemon beside Debian's upsd, whose UPS is a file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <memory>

#include "core/text.h"
#include "daemon_process.h"

namespace gateway::daemon {
namespace {

using core::cat;
using core::Json;
using testing::HasSubstr;

/// upsd and its dummy driver, which reads the file again and again.
class Upsd {
 public:
  explicit Upsd(std::uint16_t port) : port_(port) {
    ::chmod(folder_.path().c_str(), 0700);
    write("ups.conf", "[ups]\ndriver = dummy-ups\nport = ups.dev\nmode = dummy-loop\n");
    write("upsd.conf", cat("LISTEN 127.0.0.1 ", port_, "\n"));
    write("upsd.users", "");
    say("OL", 100);
    const auto in_folder = [this](std::vector<std::string> program) {
      program.insert(program.begin(), {"/usr/bin/env", cat("NUT_CONFPATH=", folder_.path()),
                                       cat("NUT_STATEPATH=", folder_.path()),
                                       cat("NUT_ALTPIDPATH=", folder_.path())});
      return std::make_unique<BackgroundProcess>(program);
    };
    driver_ = in_folder({"/lib/nut/dummy-ups", "-a", "ups", "-u", "root", "-F"});
    // Not /sbin/upsd: a script of Debian's that starts nothing on a machine without a UPS.
    server_ = in_folder({"/lib/nut/upsd", "-u", "root", "-F"});
  }
  void say(const std::string& status, int charge) {
    write("ups.dev", cat("ups.status: ", status, "\nbattery.charge: ", charge,
                         "\nbattery.runtime: 1260\nTIMER 1\n"));
  }
  void stop() { server_.reset(); }

 private:
  void write(const std::string& name, const std::string& text) {
    const std::string file = cat(folder_.path(), "/", name);
    std::ofstream(file + ".new") << text;
    ::chmod((file + ".new").c_str(), 0640);
    ::rename((file + ".new").c_str(), file.c_str());
  }

  const std::uint16_t port_;
  TempFolder folder_;
  std::unique_ptr<BackgroundProcess> driver_;
  std::unique_ptr<BackgroundProcess> server_;
};

class PowerProcess : public testing::Test {
 protected:
  PowerProcess() : upsd_(port_) {
    daemon_.configure(cat("[power]\nups = \"ups@127.0.0.1:", port_, "\"\n"));
  }
  bool is(const char* supply) {
    return holds_within(60, [&] { return daemon_.status()["power"]["supply"].text() == supply; });
  }
  bool takes_dicom(bool wanted) {
    return holds_within(
        30, [&] { return (daemon_.status()["dicom"]["state"].text() == "running") == wanted; });
  }
  std::string problems() const { return daemon_.status()["problems"].dump(); }

  const std::uint16_t port_ = free_port();
  Upsd upsd_;
  DaemonProcess daemon_;
};

TEST_F(PowerProcess, BeforeTheBatteryEndsIntakeStops) {
  daemon_.start();
  ASSERT_TRUE(daemon_.reaches("ready")) << daemon_.log();
  ASSERT_TRUE(is("mains")) << problems();
  EXPECT_EQ(daemon_.status()["power"]["charge_percent"].integer(), 100);
  upsd_.say("OB DISCHRG", 60);
  ASSERT_TRUE(is("battery")) << problems();
  EXPECT_THAT(problems(), HasSubstr("the mains are gone"));
  EXPECT_TRUE(takes_dicom(true));
  upsd_.say("OB LB", 8);
  ASSERT_TRUE(is("ending")) << problems();
  EXPECT_TRUE(takes_dicom(false));
  EXPECT_THAT(problems(), HasSubstr("nothing new is taken in until the mains are back"));
  // Silence of a UPS that was about to end is no sign of life.
  upsd_.stop();
  EXPECT_TRUE(holds_within(30, [&] {
    return daemon_.log().find("says nothing of") != std::string::npos;
  })) << daemon_.log();
  EXPECT_TRUE(takes_dicom(false));
}

TEST_F(PowerProcess, TheMainsBringIntakeBack) {
  upsd_.say("OB LB", 8);
  daemon_.start();
  ASSERT_TRUE(daemon_.reaches("ready")) << daemon_.log();
  ASSERT_TRUE(is("ending")) << problems();
  EXPECT_TRUE(takes_dicom(false));
  upsd_.say("OL CHRG", 9);
  ASSERT_TRUE(is("mains")) << problems();
  EXPECT_TRUE(takes_dicom(true)) << daemon_.log();
  EXPECT_EQ(problems(), "[]");
  EXPECT_EQ(daemon_.stop(), 0);
}

}  // namespace
}  // namespace gateway::daemon
