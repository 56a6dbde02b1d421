#include "daemon_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include "core/text.h"

namespace gateway::daemon {
namespace {

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Streams {
  std::string in = "/dev/null";
  std::string out;
  std::string err;
};

void redirect(int descriptor, const std::string& path, int flags) {
  const int opened = ::open(path.c_str(), flags, 0600);
  if (opened < 0 || ::dup2(opened, descriptor) < 0) ::_exit(126);
}

pid_t spawn(const std::vector<std::string>& arguments, const Streams& streams,
            const std::map<std::string, std::string>& environment) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t child = ::fork();
  if (child != 0) return child;
  redirect(STDIN_FILENO, streams.in, O_RDONLY);
  redirect(STDOUT_FILENO, streams.out, O_WRONLY | O_CREAT | O_APPEND);
  redirect(STDERR_FILENO, streams.err, O_WRONLY | O_CREAT | O_APPEND);
  for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
  ::execvp(argv[0], argv.data());
  ::_exit(127);
}

/// Waits for the end, with a deadline; the exit code, -1 for a signal or when it had to be killed.
int wait_for_end(pid_t child, int seconds) {
  int status = 0;
  const bool ended =
      holds_within(seconds, [&] { return ::waitpid(child, &status, WNOHANG) == child; });
  if (!ended) {
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    return -1;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

bool holds_within(int seconds, const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

std::uint16_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool bound = ::bind(socket, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  ::close(socket);
  return bound ? ntohs(address.sin_port) : std::uint16_t{0};
}

Finished run_command(const std::vector<std::string>& arguments, const std::string& input) {
  const TempFolder folder;
  Streams streams{"/dev/null", folder.path() + "/out", folder.path() + "/err"};
  if (!input.empty()) {
    streams.in = folder.path() + "/in";
    std::ofstream(streams.in) << input;
  }
  const int code = wait_for_end(spawn(arguments, streams, {}), 60);
  return {code, content(streams.out), content(streams.err)};
}

BackgroundProcess::BackgroundProcess(const std::vector<std::string>& arguments)
    : child_(spawn(arguments, {"/dev/null", "/dev/null", "/dev/null"}, {})) {}

BackgroundProcess::~BackgroundProcess() {
  ::kill(child_, SIGKILL);
  ::waitpid(child_, nullptr, 0);
}

DaemonProcess::DaemonProcess() { write_passphrase("correct horse battery staple"); }

DaemonProcess::~DaemonProcess() { kill_hard(); }

void DaemonProcess::configure(const std::string& toml) { extra_ += toml; }

void DaemonProcess::set_environment(const std::string& name, const std::string& value) {
  environment_[name] = value;
}

void DaemonProcess::write_passphrase(const std::string& text) const {
  const std::string file = folder() + "/passphrase";
  std::ofstream(file + ".new") << text << '\n';
  ::chmod((file + ".new").c_str(), 0600);
  ::rename((file + ".new").c_str(), file.c_str());
}

void DaemonProcess::start() { start_through({}); }

void DaemonProcess::start_through(std::vector<std::string> arguments) {
  std::ofstream(config_file()) << "[site]\nname = \"clinic-1\"\n"
                               << site_ << "[storage]\nstate_dir = \"" << state_folder()
                               << "\"\nreserve_mb = 16\n"
                               << "[control]\nsocket = \"" << socket() << "\"\n"
                               << "[keys]\npassphrase_file = \"" << folder() << "/passphrase\"\n"
                               << "[dicom]\nbind = \"127.0.0.1\"\nport = " << dicom_port_ << "\n"
                               << extra_;
  const std::string output = folder() + "/log";
  arguments.insert(arguments.end(), {GATEWAY_DAEMON, "--config", config_file()});
  child_ = spawn(arguments, {"/dev/null", output, output}, environment_);
}

int DaemonProcess::stop() {
  if (child_ < 0) return -1;
  ::kill(child_, SIGTERM);
  return wait_for_end(std::exchange(child_, -1), 30);
}

int DaemonProcess::end(int seconds) {
  if (child_ < 0) return -1;
  return wait_for_end(std::exchange(child_, -1), seconds);
}

void DaemonProcess::kill_hard() {
  if (child_ < 0) return;
  ::kill(child_, SIGKILL);
  ::waitpid(std::exchange(child_, -1), nullptr, 0);
}

bool DaemonProcess::running() {
  if (child_ < 0 || ::waitpid(child_, nullptr, WNOHANG) == 0) return child_ >= 0;
  child_ = -1;
  return false;
}

std::string DaemonProcess::log() const { return content(folder() + "/log"); }

Finished DaemonProcess::ask(std::vector<std::string> arguments, const std::string& input) const {
  arguments.insert(arguments.begin(), {GATEWAY_COMMAND, "--socket", socket(), "--json"});
  return run_command(arguments, input);
}

core::Json DaemonProcess::status() const {
  const Finished answer = ask({"status"});
  auto json = core::Json::parse(answer.out);
  return answer.exit_code == 0 && json.ok() ? std::move(*json) : core::Json();
}

bool DaemonProcess::reaches(const std::string& state, int seconds) {
  return holds_within(seconds, [&] { return status()["state"].text() == state; });
}

}  // namespace gateway::daemon
