// The daemon and the command as they ship, from outside.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "daemon_process.h"

namespace gateway::daemon {
namespace {

using core::Json;
using testing::HasSubstr;
using testing::Not;

Json parse(const std::string& text) {
  auto json = Json::parse(text);
  return json.ok() ? std::move(*json) : Json();
}

bool has_problem(const Json& status, std::string_view component) {
  for (const Json& problem : status["problems"].items()) {
    if (problem["component"].text() == component) return true;
  }
  return false;
}

/// Occupies a port until it goes.
class PortHolder {
 public:
  explicit PortHolder(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const int on = 1;
    ::setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(socket_, 1), 0);
  }
  ~PortHolder() { ::close(socket_); }
  PortHolder(const PortHolder&) = delete;
  PortHolder& operator=(const PortHolder&) = delete;

 private:
  int socket_;
};

TEST(CheckConfig, PrintsEveryMistakeWithFileLineAndKey) {
  const TempFolder folder;
  const std::string file = folder.path() + "/gateway.toml";
  std::ofstream(file) << "[site]\nname = \"a\"\n[dicom]\nprot = 104\nport = 99999\n";
  const Finished checked = run_command({GATEWAY_DAEMON, "--config", file, "--check-config"});
  EXPECT_EQ(checked.exit_code, 2);
  EXPECT_THAT(checked.err, HasSubstr(file + ":4: dicom.prot"));
  EXPECT_THAT(checked.err, HasSubstr(file + ":5: dicom.port"));
}

TEST(CheckConfig, SaysOk) {
  const TempFolder folder;
  const std::string file = folder.path() + "/gateway.toml";
  std::ofstream(file) << "[site]\nname = \"a\"\n";
  const Finished checked = run_command({GATEWAY_DAEMON, "--config", file, "--check-config"});
  EXPECT_EQ(checked.exit_code, 0) << checked.err;
  EXPECT_EQ(checked.out, file + ": ok\n");
}

TEST(Command, ExitCodesSayWhatHappened) {
  EXPECT_EQ(run_command({GATEWAY_COMMAND}).exit_code, 2);
  EXPECT_EQ(run_command({GATEWAY_COMMAND, "dance"}).exit_code, 2);
  EXPECT_EQ(run_command({GATEWAY_COMMAND, "--help"}).exit_code, 0);
  const Finished down = run_command({GATEWAY_COMMAND, "--socket", "/nowhere/s", "status"});
  EXPECT_EQ(down.exit_code, 3);
  EXPECT_THAT(down.err, HasSubstr("is clinic-gatewayd running?"));
}

TEST(Command, DoctorWorksWhileTheDaemonIsDown) {
  const TempFolder folder;
  const std::string file = folder.path() + "/gateway.toml";
  std::ofstream(file) << "[site]\nname = \"a\"\n[dicom]\nbind = \"127.0.0.1\"\nport = "
                      << free_port() << "\n[storage]\nstate_dir = \"" << folder.path() << "\"\n";
  const Finished doctor = run_command({GATEWAY_COMMAND, "--socket", folder.path() + "/s", "--json",
                                       "doctor", "--config", file});
  EXPECT_EQ(doctor.exit_code, 1) << doctor.out;
  EXPECT_THAT(doctor.out, HasSubstr(R"({"check":"daemon","verdict":"fail")"));
  EXPECT_THAT(doctor.out, HasSubstr(R"({"check":"configuration","verdict":"ok")"));
  EXPECT_THAT(doctor.out, HasSubstr(R"({"check":"dicom port","verdict":"ok")"));
}

TEST(Daemon, FirstStartMakesTheKeyringAndSoDoesNoOther) {
  DaemonProcess daemon;
  daemon.start();
  ASSERT_TRUE(daemon.reaches("ready")) << daemon.log();
  const Json status = daemon.status();
  EXPECT_EQ(status["key_protection"].text(), "passphrase");
  EXPECT_EQ(status["queue"]["waiting"].integer(), 0);
  EXPECT_EQ(status["dicom"]["state"].text(), "running");
  EXPECT_EQ(status["problems"].size(), 0u) << status.dump();
  EXPECT_EQ(daemon.ask({"studies"}).out, "{\"studies\":[]}\n");
  EXPECT_EQ(daemon.ask({"queue", "--json"}).out, "{\"queue\":[]}\n");
  EXPECT_EQ(parse(daemon.ask({"retry"}).out)["retried"].integer(), 0);
  EXPECT_EQ(daemon.ask({"retry", "7"}).exit_code, 1);
  EXPECT_EQ(daemon.stop(), 0) << daemon.log();

  daemon.start();
  EXPECT_TRUE(daemon.reaches("ready")) << daemon.log();
  EXPECT_EQ(daemon.stop(), 0);
}

TEST(Daemon, NothingOfTheStateFolderIsOpenToOthers) {
  DaemonProcess daemon;
  daemon.start();
  ASSERT_TRUE(daemon.reaches("ready")) << daemon.log();
  for (const auto& entry : std::filesystem::recursive_directory_iterator(daemon.state_folder())) {
    const auto open_to_others =
        entry.status().permissions() &
        (std::filesystem::perms::group_all | std::filesystem::perms::others_all);
    EXPECT_EQ(open_to_others, std::filesystem::perms::none) << entry.path();
  }
}

TEST(Daemon, AWrongPassphraseLeavesItLockedUntilTheFileChanges) {
  DaemonProcess daemon;
  daemon.start();
  ASSERT_TRUE(daemon.reaches("ready")) << daemon.log();
  daemon.stop();
  daemon.write_passphrase("wrong");
  daemon.start();
  ASSERT_TRUE(daemon.reaches("locked")) << daemon.log();
  EXPECT_TRUE(holds_within(30, [&] {
    return daemon.log().find("the passphrase opens none of") != std::string::npos;
  })) << daemon.log();
  EXPECT_EQ(daemon.ask({"queue"}).exit_code, 4);
  EXPECT_EQ(daemon.status()["dicom"]["state"].text(), "running");
  daemon.write_passphrase("correct horse battery staple");
  EXPECT_TRUE(daemon.reaches("ready")) << daemon.log();
}

TEST(Daemon, AnOperatorUnlocksItWithoutARestart) {
  DaemonProcess daemon;
  std::filesystem::remove(daemon.folder() + "/passphrase");
  daemon.start();
  ASSERT_TRUE(daemon.reaches("locked")) << daemon.log();
  EXPECT_THAT(daemon.log(), HasSubstr("clinic-gateway unlock"));
  EXPECT_FALSE(daemon.status()["set_up"].boolean());
  const Finished first = daemon.ask({"unlock"}, "open sesame\n");
  EXPECT_EQ(first.exit_code, 0) << first.err;
  EXPECT_TRUE(daemon.reaches("ready"));
  daemon.stop();

  daemon.start();
  ASSERT_TRUE(daemon.reaches("locked")) << daemon.log();
  EXPECT_EQ(daemon.ask({"unlock"}, "something else\n").exit_code, 4);
  EXPECT_EQ(daemon.ask({"unlock"}, "open sesame\n").exit_code, 0);
  EXPECT_EQ(daemon.status()["state"].text(), "ready");
  EXPECT_THAT(daemon.log(), Not(HasSubstr("sesame")));
}

TEST(Daemon, ALostKeyringIsNeverReplacedByAFreshOne) {
  DaemonProcess daemon;
  daemon.start();
  ASSERT_TRUE(daemon.reaches("ready")) << daemon.log();
  daemon.stop();
  std::filesystem::remove(daemon.state_folder() + "/keyring.json");
  daemon.start();
  ASSERT_TRUE(daemon.reaches("failed")) << daemon.log();
  EXPECT_THAT(std::string(daemon.status()["reason"].text()), HasSubstr("keyring.json is missing"));
  EXPECT_TRUE(has_problem(daemon.status(), "storage"));
  EXPECT_FALSE(std::filesystem::exists(daemon.state_folder() + "/keyring.json"));
}

TEST(Daemon, APortInUseIsSaidAndTakenOnceItIsFree) {
  DaemonProcess daemon;
  {
    const PortHolder holder(daemon.dicom_port());
    daemon.start();
    ASSERT_TRUE(daemon.reaches("ready")) << daemon.log();
    const Json status = daemon.status();
    EXPECT_TRUE(has_problem(status, "dicom")) << status.dump();
    EXPECT_THAT(daemon.log(), HasSubstr("is in use by another program"));
    EXPECT_EQ(daemon.ask({"doctor"}).exit_code, 1);
  }
  EXPECT_TRUE(holds_within(20, [&] { return !has_problem(daemon.status(), "dicom"); }))
      << daemon.log();
}

TEST(Daemon, AMissingCaFileOfTheBrokerStopsOnlyMqtt) {
  DaemonProcess daemon;
  daemon.configure("[mqtt]\nhost = \"127.0.0.1\"\nca_file = \"" + daemon.folder() +
                   "/missing.pem\"\n");
  daemon.start();
  ASSERT_TRUE(daemon.reaches("ready")) << daemon.log();
  EXPECT_TRUE(has_problem(daemon.status(), "mqtt")) << daemon.status().dump();
  EXPECT_THAT(daemon.log(), HasSubstr("missing.pem"));
}

TEST(Daemon, ASecondOneOnTheSameSocketGivesWay) {
  DaemonProcess daemon;
  daemon.start();
  ASSERT_TRUE(daemon.reaches("ready")) << daemon.log();
  const Finished second = run_command({GATEWAY_DAEMON, "--config", daemon.config_file()});
  EXPECT_EQ(second.exit_code, 1) << second.err;
  EXPECT_THAT(second.err, HasSubstr("control.socket"));
  EXPECT_EQ(daemon.status()["state"].text(), "ready");
}

TEST(Daemon, ComesBackAfterAKill) {
  DaemonProcess daemon;
  daemon.start();
  ASSERT_TRUE(daemon.reaches("ready")) << daemon.log();
  daemon.kill_hard();
  daemon.start();
  EXPECT_TRUE(daemon.reaches("ready")) << daemon.log();
}

TEST(Daemon, ATooSmallDiskIsSaid) {
  DaemonProcess daemon;
  daemon.configure("");
  daemon.start();
  ASSERT_TRUE(daemon.reaches("ready")) << daemon.log();
  EXPECT_GT(daemon.status()["disk"]["free_bytes"].integer().value_or(0), 0);
  EXPECT_EQ(daemon.status()["disk"]["reserve_bytes"].integer(), 16 << 20);
}

/// What systemd would hear.
class NotifySocket {
 public:
  explicit NotifySocket(const std::string& path)
      : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ~NotifySocket() { ::close(socket_); }
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;

  bool hears(const std::string& text, int seconds) {
    return holds_within(seconds, [&] {
      char buffer[4096];
      ssize_t size = 0;
      while ((size = ::recv(socket_, buffer, sizeof buffer, 0)) > 0) {
        heard_.append(buffer, static_cast<std::size_t>(size)) += '\n';
      }
      return heard_.find(text) != std::string::npos;
    });
  }
  void forget() { heard_.clear(); }

 private:
  int socket_;
  std::string heard_;
};

TEST(Daemon, TellsSystemdThatItIsReadyAlsoWhileLockedAndFeedsTheWatchdog) {
  DaemonProcess daemon;
  std::filesystem::remove(daemon.folder() + "/passphrase");
  NotifySocket systemd(daemon.folder() + "/notify");
  daemon.set_environment("NOTIFY_SOCKET", daemon.folder() + "/notify");
  daemon.set_environment("WATCHDOG_USEC", "4000000");
  daemon.start();
  EXPECT_TRUE(systemd.hears("READY=1\nSTATUS=locked", 20)) << daemon.log();
  EXPECT_TRUE(systemd.hears("WATCHDOG=1", 10));
  daemon.write_passphrase("correct horse battery staple");
  EXPECT_TRUE(systemd.hears("STATUS=ready", 30)) << daemon.log();
  for (int i = 0; i < 5; ++i) {
    systemd.forget();
    EXPECT_TRUE(systemd.hears("WATCHDOG=1", 4)) << daemon.log();
  }
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_TRUE(systemd.hears("STOPPING=1", 1));
}

}  // namespace
}  // namespace gateway::daemon
