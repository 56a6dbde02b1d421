// The real daemon with ASTM analyzers: on a socket, on a serial line, killed between commit and
// ACK, and the commands that look after them.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <pty.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "adapters/astm/link.h"
#include "daemon_process.h"

namespace gateway::daemon {
namespace {

using adapters::astm::kAck;
using adapters::astm::kEnq;
using adapters::astm::kEot;
using adapters::astm::kNak;
using core::Json;
using ::testing::HasSubstr;

constexpr std::size_t kFirst = 0;

std::string results(const std::string& value, const std::string& patient = "P1",
                    const std::string& action = "N") {
  return "H|\\^&|M1||Analyzer^^SN1|||||||P|1|20260301101500\rP|1||" + patient +
         "\rO|1|T1||^^^HbA1c|||||||" + action + "\rR|1|^^^HbA1c|" + value +
         "|%||N||F||op||20260301090500\rL|1|N\r";
}

/// One end of a line: a socket or a pseudo terminal. Reads wait at most 20 s.
class Analyzer {
 public:
  explicit Analyzer(int line) : line_(line) {}
  static Analyzer call(std::uint16_t port) {
    const int line = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(line, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      ADD_FAILURE() << "no connection";
    return Analyzer(line);
  }
  ~Analyzer() { ::close(line_); }
  Analyzer(const Analyzer&) = delete;
  Analyzer& operator=(const Analyzer&) = delete;

  void write(const std::string& bytes) const {
    EXPECT_EQ(::write(line_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  /// The next byte; 0: none came, or the line ended.
  char read() const {
    pollfd waiting{line_, POLLIN, 0};
    char byte = 0;
    if (::poll(&waiting, 1, 20'000) != 1 || ::read(line_, &byte, 1) != 1) return 0;
    return byte;
  }
  char exchange(const std::string& bytes) const {
    write(bytes);
    return read();
  }
  /// Every frame acknowledged, up to the first that is not: its answer.
  char send(const std::string& message) const {
    if (const char answer = exchange(std::string(1, kEnq)); answer != kAck) return answer;
    for (const std::string& frame : adapters::astm::make_frames(message, {})) {
      if (const char answer = exchange(frame); answer != kAck) return answer;
    }
    write(std::string(1, kEot));
    return kAck;
  }
  /// What the gateway sends of itself, each frame acknowledged.
  std::string receive() const {
    if (read() != kEnq) return "no ENQ";
    write(std::string(1, kAck));
    std::string text;
    for (char byte = read(); byte != kEot && byte != 0; byte = read()) {
      text += byte;
      if (byte == '\n') write(std::string(1, kAck));
    }
    return text;
  }

 private:
  const int line_;
};

std::string device_table(const std::string& transport) {
  return "[profiles]\nshipped_dir = \"" GATEWAY_PROFILES
         "\"\nsite_dir = \"/nonexistent\"\n"
         "[device.lab]\nprotocol = \"astm\"\nbind = \"127.0.0.1\"\n"
         "profile = \"abbott-afinion-2\"\npatient_id_issuer = \"urn:oid:2.25.1\"\n"
         "specimen_id_issuer = \"urn:oid:2.25.2\"\n" +
         transport;
}
std::string on_port(std::uint16_t port) { return "port = " + std::to_string(port) + "\n"; }

Json device(const DaemonProcess& daemon) { return daemon.status()["astm"]["devices"][kFirst]; }

TEST(AstmDevices, ResultsAreTakenInRepeatsKnownControlsKeptAndQueriesAnswered) {
  const std::uint16_t port = free_port();
  DaemonProcess daemon;
  daemon.configure(device_table(on_port(port)));
  daemon.start();
  ASSERT_TRUE(daemon.reaches("ready")) << daemon.log();
  const Analyzer analyzer = Analyzer::call(port);
  EXPECT_EQ(analyzer.send(results("7.0")), kAck);
  EXPECT_EQ(analyzer.send(results("7.0")), kAck);
  EXPECT_EQ(analyzer.send(results("7.1", "")), kAck);
  EXPECT_EQ(analyzer.send(results("6.2", "C1", "Q")), kAck);
  EXPECT_EQ(analyzer.send("H|\\^&\rQ|1|^T9||ALL\rL|1|N\r"), kAck);
  EXPECT_THAT(analyzer.receive(), HasSubstr("L|1|I\r"));
  EXPECT_EQ(device(daemon)["counts"].dump(),
            R"({"stored":3,"repeated":1,"unassigned":1,"dead":0,"refused":0,"controls":1})");
  EXPECT_THAT(std::string(device(daemon)["revision"].text()), HasSubstr("1+"));
  const Finished letters = daemon.ask({"letters"});
  EXPECT_THAT(letters.out, HasSubstr("no order names the specimen"));
  EXPECT_THAT(daemon.ask({"letters", "show", "2"}).out, HasSubstr("HbA1c"));
  EXPECT_THAT(daemon.ask({"letters", "retry", "2"}).out, HasSubstr("unassigned"));
  EXPECT_THAT(daemon.ask({"devices", "list"}).out, HasSubstr("abbott-afinion-2"));
  EXPECT_EQ(daemon.stop(), 0) << daemon.log();
}

TEST(AstmDevices, WhatBreaksOffWaitsAndGoesWhenTheWholeComes) {
  const std::uint16_t port = free_port();
  DaemonProcess daemon;
  daemon.configure(device_table(on_port(port)));
  daemon.start();
  ASSERT_TRUE(daemon.reaches("ready")) << daemon.log();
  {
    const Analyzer analyzer = Analyzer::call(port);
    analyzer.exchange(std::string(1, kEnq));
    const auto frames = adapters::astm::make_frames(results("7.0"), {});
    EXPECT_EQ(analyzer.exchange(frames[0]), kAck);
    EXPECT_EQ(analyzer.exchange(frames[1]), kAck);
  }
  EXPECT_THAT(daemon.ask({"letters"}).out, HasSubstr("has not sent the rest"));
  EXPECT_THAT(daemon.ask({"letters", "show", "1"}).out, HasSubstr("P|1||P1"));
  const Analyzer analyzer = Analyzer::call(port);
  EXPECT_EQ(analyzer.send(results("7.0")), kAck);
  EXPECT_EQ(daemon.ask({"letters"}).out.find("rest"), std::string::npos);
  EXPECT_EQ(device(daemon)["counts"]["stored"].integer(), 1);
}

TEST(AstmDevices, KilledBetweenCommitAndAckTheResendGivesOneResult) {
  for (const char* point : {"part-committed:3", "message-committed:1"}) {
    const std::uint16_t port = free_port();
    DaemonProcess daemon;
    daemon.configure(device_table(on_port(port)));
    daemon.set_environment("CLINIC_GATEWAY_CRASH_AT", point);
    daemon.start();
    ASSERT_TRUE(daemon.reaches("ready")) << daemon.log();
    {
      const Analyzer analyzer = Analyzer::call(port);
      EXPECT_EQ(analyzer.send(results("7.0")), 0) << point;
    }
    ASSERT_TRUE(holds_within(20, [&] { return !daemon.running(); }));
    daemon.set_environment("CLINIC_GATEWAY_CRASH_AT", "");
    daemon.start();
    ASSERT_TRUE(daemon.reaches("ready")) << daemon.log();
    const Analyzer analyzer = Analyzer::call(port);
    EXPECT_EQ(analyzer.send(results("7.0")), kAck);
    const Json counts = device(daemon)["counts"];
    EXPECT_EQ(counts["stored"].integer().value_or(0) + counts["repeated"].integer().value_or(0), 1);
    EXPECT_THAT(daemon.ask({"letters"}).out, HasSubstr("\"letters\":[]"));
  }
}

TEST(AstmDevices, WhileLockedTheDeviceHearsThatTheGatewayIsBusy) {
  const std::uint16_t port = free_port();
  DaemonProcess daemon;
  daemon.configure(device_table(on_port(port)));
  daemon.start();
  ASSERT_TRUE(daemon.reaches("ready")) << daemon.log();
  daemon.stop();
  daemon.write_passphrase("wrong");
  daemon.start();
  ASSERT_TRUE(daemon.reaches("locked")) << daemon.log();
  EXPECT_EQ(Analyzer::call(port).send(results("7.0")), kNak);
}

TEST(AstmDevices, ASerialLineIsServedLikeASocket) {
  int ours = -1;
  int theirs = -1;
  char name[128];
  termios raw{};
  ::cfmakeraw(&raw);
  ASSERT_EQ(::openpty(&ours, &theirs, name, &raw, nullptr), 0);
  DaemonProcess daemon;
  daemon.configure(device_table(std::string("serial_port = \"") + name + "\"\nbaud = 9600\n"));
  daemon.start();
  ASSERT_TRUE(daemon.reaches("ready")) << daemon.log();
  ASSERT_TRUE(holds_within(20, [&] {
    return daemon.status()["astm"]["connections"].integer() == 1;
  })) << daemon.log();
  const Analyzer analyzer(ours);
  EXPECT_EQ(analyzer.send(results("7.0")), kAck);
  EXPECT_EQ(device(daemon)["counts"]["stored"].integer(), 1);
  ::close(theirs);
}

TEST(AstmDevices, ALineThatIsNotThereIsAProblemAndASilentDeviceToo) {
  DaemonProcess daemon;
  daemon.configure(device_table("serial_port = \"/nonexistent/tty\"\nsilent_after_s = 1\n"));
  daemon.start();
  ASSERT_TRUE(daemon.reaches("ready")) << daemon.log();
  EXPECT_TRUE(holds_within(20, [&] {
    return daemon.status()["problems"].dump().find("nothing since") != std::string::npos;
  }));
  EXPECT_THAT(daemon.status()["problems"].dump(), HasSubstr("/nonexistent/tty"));
}

TEST(DevicesCommand, TestsShippedProfilesAndAddsAndRemovesADevice) {
  const TempFolder folder;
  const std::string config = folder.path() + "/gateway.toml";
  {
    std::ofstream(config) << "[site]\nname = \"clinic\"\n[profiles]\nshipped_dir = \""
                          << GATEWAY_PROFILES << "\"\nsite_dir = \"" << folder.path()
                          << "/profiles\"\n";
  }
  const auto devices = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {GATEWAY_COMMAND, "devices", "--config", config});
    return run_command(arguments);
  };
  const Finished tested = devices({"test", "--all"});
  EXPECT_EQ(tested.exit_code, 0) << tested.out << tested.err;
  EXPECT_THAT(tested.out, HasSubstr("sysmex-xp-xn/blood-count"));
  const Finished added = devices({"add", "sysmex", "--profile", "sysmex-xp-xn", "--port", "5000"});
  EXPECT_EQ(added.exit_code, 0) << added.err;
  // The daemon, another user, can read it.
  EXPECT_EQ(std::filesystem::status(folder.path() + "/conf.d/device-sysmex.toml").permissions() &
                std::filesystem::perms::others_read,
            std::filesystem::perms::others_read);
  EXPECT_EQ(devices({"add", "sysmex", "--profile", "sysmex-xp-xn", "--port", "5000"}).exit_code, 1);
  EXPECT_THAT(devices({"profiles"}).out, HasSubstr(folder.path() + "/profiles/sysmex-xp-xn"));
  {
    std::ofstream(folder.path() + "/profiles/sysmex-xp-xn/codes.csv")
        << "code,unit,loinc,display,ucum\n";
  }
  const Finished changed = devices({"test", "sysmex-xp-xn"});
  EXPECT_EQ(changed.exit_code, 1);
  EXPECT_THAT(changed.out, HasSubstr("expected \"6690-2\", came \"WBC\""));
  EXPECT_EQ(devices({"remove", "sysmex"}).exit_code, 0);
  EXPECT_EQ(devices({"remove", "sysmex"}).exit_code, 1);
  EXPECT_EQ(devices({"add", "x", "--profile", "nothing", "--port", "5000"}).exit_code, 1);
}

}  // namespace
}  // namespace gateway::daemon
