#include "daemon/cli/terminal.h"

#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/text.h"

namespace gateway::cli {
namespace {

constexpr std::size_t kSecretMax = 4096;

/// Switches echo off for its lifetime.
class QuietTerminal {
 public:
  QuietTerminal() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    quiet.c_lflag |= ECHONL;
    changed_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == 0;
  }
  ~QuietTerminal() {
    if (changed_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  QuietTerminal(const QuietTerminal&) = delete;
  QuietTerminal& operator=(const QuietTerminal&) = delete;
  bool changed() const { return changed_; }

 private:
  termios before_{};
  bool changed_ = false;
};

core::Result<std::string> read_line(std::string_view what) {
  std::string line;
  line.reserve(kSecretMax);  // never moved while it grows: no copy stays behind
  while (true) {
    char c = 0;
    const ssize_t got = ::read(STDIN_FILENO, &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || c == '\n') break;
    if (line.size() == kSecretMax) {
      ::explicit_bzero(line.data(), line.size());
      return core::Error(core::Code::invalid,
                         core::cat("the ", what, " is longer than ", kSecretMax, " bytes"));
    }
    line += c;
  }
  if (!line.empty() && line.back() == '\r') line.pop_back();
  if (line.empty()) return core::Error(core::Code::invalid, core::cat("no ", what, " was given"));
  return line;
}

}  // namespace

bool is_interactive() { return ::isatty(STDIN_FILENO) == 1; }

core::Result<std::string> read_secret(const std::string& prompt, std::string_view what) {
  if (!is_interactive()) return read_line(what);
  const QuietTerminal quiet;
  if (!quiet.changed()) {
    return core::Error(core::Code::io, "the terminal's echo cannot be switched off");
  }
  std::fprintf(stderr, "%s", prompt.c_str());
  std::fflush(stderr);
  return read_line(what);
}

}  // namespace gateway::cli
