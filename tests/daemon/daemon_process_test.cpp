// The daemon and the command as they ship, from outside.
#include "daemon_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "notify_socket.h"
#include "port_holder.h"

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
  const Finished wrong = run_command({GATEWAY_COMMAND, "dance", "--json"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_EQ(parse(wrong.out)["error"]["code"].text(), "invalid") << wrong.out;
  const Finished down = run_command({GATEWAY_COMMAND, "--socket", "/nowhere/s", "status"});
  EXPECT_EQ(down.exit_code, 3);
  EXPECT_THAT(down.err, HasSubstr("is clinic-gateway running?"));
}

TEST(Command, DoctorWorksWhileTheDaemonIsDown) {
  const TempFolder folder;
  const std::string file = folder.path() + "/gateway.toml";
  std::ofstream(file) << "[site]\nname = \"a\"\n[dicom]\nbind = \"127.0.0.1\"\nport = "
                      << free_port() << "\n[storage]\nstate_dir = \"" << folder.path() << "\"\n";
  const Finished doctor = run_command(
      {GATEWAY_COMMAND, "--socket", folder.path() + "/s", "--json", "doctor", "--config", file});
  EXPECT_EQ(doctor.exit_code, 1) << doctor.out;
  EXPECT_THAT(doctor.out, HasSubstr(R"({"check":"daemon","verdict":"fail")"));
  EXPECT_THAT(doctor.out, HasSubstr(R"({"check":"configuration","verdict":"ok")"));
  EXPECT_THAT(doctor.out, HasSubstr(R"({"check":"dicom port","verdict":"ok")"));
}

TEST(Command, DoctorLooksAtTheRestWithAMistakeTheDaemonStartsWithout) {
  const TempFolder folder;
  const std::string file = folder.path() + "/gateway.toml";
  std::ofstream(file) << "[site]\nname = \"a\"\n[dicom]\nbind = \"127.0.0.1\"\nport = "
                      << free_port() << "\n[storage]\nstate_dir = \"" << folder.path()
                      << "\"\n[mqqt]\nx = 1\n";
  const Finished doctor =
      run_command({GATEWAY_COMMAND, "--socket", folder.path() + "/s", "doctor", "--config", file});
  EXPECT_EQ(doctor.exit_code, 1);
  EXPECT_THAT(doctor.out, HasSubstr("FAIL  configuration: " + file + ":9: mqqt.x"));
  EXPECT_THAT(doctor.out, HasSubstr("reload-or-restart clinic-gateway"));
  for (const char* check : {"disk: ", "state folder: ", "keys: ", "dicom port: "})
    EXPECT_THAT(doctor.out, HasSubstr(check));
}

/// What `doctor` says of an uplink with these keys while the daemon is down.
std::string uplink_finding(const std::string& folder, const std::string& keys) {
  std::ofstream(folder + "/gateway.toml")
      << "[site]\nname = \"a\"\n[storage]\nstate_dir = \"" << folder << "\"\n[uplink.peer]\n"
      << keys;
  const Finished doctor = run_command({GATEWAY_COMMAND, "--socket", folder + "/s", "--json",
                                       "doctor", "--config", folder + "/gateway.toml"});
  const Json answer = parse(doctor.out);
  for (const Json& finding : answer["findings"].items()) {
    if (finding["check"].text() == "uplink peer") return finding.dump();
  }
  return doctor.out + doctor.err;
}

TEST(Command, DoctorLooksAtTheCertificatesOfAnUplink) {
  const TempFolder folder;
  const std::string certificate = folder.path() + "/server.pem";
  const std::string key = folder.path() + "/server.key";
  const Finished made = run_command(
      {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
       "-nodes", "-days", "10", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
       "-out", certificate, "-keyout", key});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  const std::uint16_t port = free_port();
  const std::string system_ca =
      "kind = \"stow\"\nurl = \"https://localhost:" + std::to_string(port) + "/dicom-web\"\n";
  const std::string pinned = system_ca + "ca_file = \"" + certificate + "\"\n";
  EXPECT_THAT(uplink_finding(folder.path(), pinned), HasSubstr("is not reached"));
  const BackgroundProcess server({"openssl", "s_server", "-accept", std::to_string(port), "-cert",
                                  certificate, "-key", key, "-www"});
  std::string finding;
  EXPECT_TRUE(holds_within(20, [&] {
    finding = uplink_finding(folder.path(), pinned);
    return finding.find("\"warn\"") != std::string::npos;
  })) << finding;
  EXPECT_THAT(finding, HasSubstr("TLSv1.3"));
  EXPECT_THAT(finding, HasSubstr(" days)"));
  EXPECT_THAT(finding, HasSubstr("renew the certificate"));
  EXPECT_THAT(uplink_finding(folder.path(), system_ca), HasSubstr("not trusted"));
}

TEST(Command, DoctorAsksTheHisWhichFhirItSpeaks) {
  const TempFolder folder;
  const std::string port = std::to_string(free_port());
  const std::string url = "kind = \"fhir\"\nurl = \"http://127.0.0.1:" + port + "/\"\n";
  const BackgroundProcess server(
      {"python3", "-m", "http.server", port, "--bind", "127.0.0.1", "--directory", folder.path()});
  const auto finding_for = [&](const std::string& metadata) {
    std::ofstream(folder.path() + "/metadata") << metadata;
    return uplink_finding(folder.path(), url);
  };
  std::string finding;
  EXPECT_TRUE(holds_within(20, [&] {
    finding = finding_for(R"({"resourceType":"CapabilityStatement","fhirVersion":"4.0.1"})");
    return finding.find("\"ok\"") != std::string::npos;
  })) << finding;
  EXPECT_THAT(finding, HasSubstr("FHIR 4.0.1"));
  EXPECT_THAT(finding_for(R"({"fhirVersion":"3.0.2"})"), HasSubstr("FHIR 3.0.2, not 4.x"));
  EXPECT_THAT(finding_for("<html>Welcome</html>"), HasSubstr("no FHIR CapabilityStatement"));
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
    const auto open_to_others = entry.status().permissions() & (std::filesystem::perms::group_all |
                                                                std::filesystem::perms::others_all);
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
  EXPECT_EQ(daemon.ask({"unlock"}, "x\n").exit_code, 1) << "no first passphrase is that short";
  EXPECT_FALSE(daemon.status()["set_up"].boolean());
  const Finished first = daemon.ask({"unlock"}, "open sesame twice\n");
  EXPECT_EQ(first.exit_code, 0) << first.err;
  EXPECT_TRUE(daemon.reaches("ready"));
  daemon.stop();

  daemon.start();
  ASSERT_TRUE(daemon.reaches("locked")) << daemon.log();
  EXPECT_EQ(daemon.ask({"unlock"}, "something else\n").exit_code, 4);
  EXPECT_EQ(daemon.ask({"unlock"}, "open sesame twice\n").exit_code, 0);
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

TEST(Daemon, TellsTheBrokerWhatItIsAndThatItGoes) {
  if (run_command({"mosquitto", "-h"}).exit_code == 127) GTEST_SKIP() << "no mosquitto here";
  const std::string port = std::to_string(free_port());
  const BackgroundProcess broker({"mosquitto", "-p", port});
  const auto retained = [&](const std::string& topic) {
    const Finished heard =
        run_command({"mosquitto_sub", "-h", "127.0.0.1", "-p", port, "-t",
                     "clinic-gateway/v1/clinic-1/" + topic, "-C", "1", "-W", "2"});
    return parse(heard.out);
  };
  DaemonProcess daemon;
  daemon.configure(
      "[mqtt]\nhost = \"127.0.0.1\"\nplain = true\nhealth_every_s = 1\nport = " + port + "\n");
  daemon.start();
  ASSERT_TRUE(holds_within(30, [&] { return retained("status")["state"].text() == "ready"; }))
      << daemon.log();
  const Json health = retained("health");
  EXPECT_EQ(health["state"].text(), "ready") << health.dump();
  EXPECT_TRUE(holds_within(10, [&] {
    return retained("health")["seq"].integer().value_or(0) > health["seq"].integer().value_or(0);
  }));
  EXPECT_TRUE(daemon.status()["mqtt"]["connected"].boolean());
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_EQ(retained("status")["state"].text(), "offline");
}

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
