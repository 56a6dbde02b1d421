#include "tests/fakes/tinyproxy.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>

#include "tests/fakes/tls_server.h"
#include "tests/fakes/waiting.h"

namespace gateway::fakes {
namespace {

constexpr char kProgram[] = "/usr/bin/tinyproxy";

}  // namespace

bool Tinyproxy::installed() { return ::access(kProgram, X_OK) == 0; }

Tinyproxy::Tinyproxy(const TestFolder& folder, std::uint16_t allowed_port) {
  ::close(listen_on_loopback(port_));
  const std::string file = folder.path("tinyproxy.conf");
  std::ofstream(file) << "Port " << port_ << "\nListen 127.0.0.1\nTimeout 60\nMaxClients 20\n"
                      << "ConnectPort " << allowed_port << "\nBasicAuth " << kUsername << ' '
                      << kPassword << '\n';
  process_ = ::fork();
  if (process_ == 0) {
    const int log = ::open(folder.path("tinyproxy.log").c_str(), O_WRONLY | O_CREAT, 0600);
    ::dup2(log, STDOUT_FILENO);
    ::dup2(log, STDERR_FILENO);
    ::execl(kProgram, "tinyproxy", "-d", "-c", file.c_str(), nullptr);
    ::_exit(127);
  }
  if (!eventually([this] { return listens_on_loopback(port_); }))
    throw std::runtime_error("tinyproxy does not listen");
}

Tinyproxy::~Tinyproxy() {
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

}  // namespace gateway::fakes
