// The real daemon and the real command as child processes, in a folder of their own, on loopback.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/json.h"
#include "temp_folder.h"

namespace gateway::daemon {

struct Finished {
  int exit_code = -1;  // -1: ended by a signal
  std::string out;     // standard output
  std::string err;     // standard error
};

/// Runs to the end; killed after 60 s. `input` goes to standard input.
Finished run_command(const std::vector<std::string>& arguments, const std::string& input = "");

/// Looks again and again until `condition` holds; false after `seconds`.
bool holds_within(int seconds, const std::function<bool()>& condition);

/// A TCP port of the loopback interface that was free a moment ago.
std::uint16_t free_port();

/// Another program that runs until it goes out of scope; its output is dropped.
class BackgroundProcess {
 public:
  explicit BackgroundProcess(const std::vector<std::string>& arguments);
  ~BackgroundProcess();
  BackgroundProcess(const BackgroundProcess&) = delete;
  BackgroundProcess& operator=(const BackgroundProcess&) = delete;

 private:
  pid_t child_;
};

class DaemonProcess {
 public:
  DaemonProcess();
  ~DaemonProcess();  // kills what still runs
  DaemonProcess(const DaemonProcess&) = delete;
  DaemonProcess& operator=(const DaemonProcess&) = delete;

  /// Appended to the configuration; whole tables, or keys of `[site]` first.
  void configure(const std::string& toml);
  /// In its table [site].
  void configure_site(const std::string& toml) { site_ += toml; }
  void set_environment(const std::string& name, const std::string& value);
  void write_passphrase(const std::string& text) const;
  void start();
  /// As start(), by a program that becomes the daemon: its own arguments, `[0]` the program.
  void start_through(std::vector<std::string> arguments);
  /// SIGTERM; the exit code, or -1 when it had to be killed after 30 s.
  int stop();
  void kill_hard();
  /// Waits for it to end by itself: the exit code, or -1 when it had to be killed.
  int end(int seconds);
  bool running();
  pid_t process() const { return child_; }

  const std::string& folder() const { return folder_.path(); }
  std::string config_file() const { return folder() + "/gateway.toml"; }
  std::string socket() const { return folder() + "/control.sock"; }
  std::string state_folder() const { return folder() + "/state"; }
  std::uint16_t dicom_port() const { return dicom_port_; }
  std::string log() const;
  /// The command, with --socket and --json.
  Finished ask(std::vector<std::string> arguments, const std::string& input = "") const;
  /// null while it does not answer.
  core::Json status() const;
  bool reaches(const std::string& state, int seconds = 30);

 private:
  TempFolder folder_;
  std::uint16_t dicom_port_ = free_port();
  std::string extra_;
  std::string site_;
  std::map<std::string, std::string> environment_;
  pid_t child_ = -1;
};

}  // namespace gateway::daemon
