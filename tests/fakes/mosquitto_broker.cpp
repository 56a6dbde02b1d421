#include "tests/fakes/mosquitto_broker.h"

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

constexpr char broker_program[] = "/usr/sbin/mosquitto";

}  // namespace

bool MosquittoBroker::installed() { return ::access(broker_program, X_OK) == 0; }

MosquittoBroker::MosquittoBroker(const TestFolder& folder) : folder_(folder) {
  ::close(listen_on_loopback(port_));
}

void MosquittoBroker::start(const TestCa& ca, const CertificateFiles& certificate,
                            const std::string& extra) {
  const std::string file = folder_.path("mosquitto.conf");
  const std::string log = folder_.path("mosquitto.log");
  // "user root": it would drop to another user, who cannot read this folder; ignored where the test
  // is not root.
  std::ofstream(file) << "user root\nlistener " << port_ << " 127.0.0.1\npersistence false\ncafile "
                      << ca.file() << "\ncertfile " << certificate.certificate << "\nkeyfile "
                      << certificate.key << '\n'
                      << (extra.empty() ? "allow_anonymous true\n" : extra);
  process_ = ::fork();
  if (process_ == 0) {
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    ::execl(broker_program, "mosquitto", "-c", file.c_str(), nullptr);
    ::_exit(127);
  }
  if (!eventually([this] { return listens_on_loopback(port_); }))
    throw std::runtime_error("mosquitto does not listen");
}

void MosquittoBroker::stop() {
  if (process_ <= 0) return;
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
  process_ = -1;
}

MosquittoWitness::MosquittoWitness(const MosquittoBroker& broker, const TestCa& ca,
                                   const std::string& topic, int count) {
  const std::string port = std::to_string(broker.port());
  const std::string messages = std::to_string(count);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe for mosquitto_sub");
  process_ = ::fork();
  if (process_ == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    ::dup2(ends[1], STDERR_FILENO);
    ::execlp("mosquitto_sub", "mosquitto_sub", "-V", "5", "-h", "127.0.0.1", "-p", port.c_str(),
             "--cafile", ca.file().c_str(), "-q", "1", "-W", "20", "-F", "%r %p", "-C",
             messages.c_str(), "-t", topic.c_str(), nullptr);
    ::_exit(127);
  }
  ::close(ends[1]);
  output_ = ::fdopen(ends[0], "r");
}

MosquittoWitness::~MosquittoWitness() {
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
  std::fclose(output_);
}

std::optional<std::string> MosquittoWitness::next() {
  char line[4096];
  if (std::fgets(line, sizeof line, output_) == nullptr) return std::nullopt;
  std::string text = line;
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace gateway::fakes
