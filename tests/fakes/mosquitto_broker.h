// Debian's mosquitto as the test's broker, and its own client as the witness.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

#include "tests/fakes/certificates.h"

namespace gateway::fakes {

class MosquittoBroker {
 public:
  static bool installed();
  explicit MosquittoBroker(const TestFolder& folder);
  MosquittoBroker(const MosquittoBroker&) = delete;
  MosquittoBroker& operator=(const MosquittoBroker&) = delete;
  ~MosquittoBroker() { stop(); }

  /// Starts it on its port with this certificate, and waits until it listens. `extra` is added to
  /// the configuration.
  void start(const TestCa& ca, const CertificateFiles& certificate, const std::string& extra = "");
  void stop();
  std::uint16_t port() const { return port_; }

 private:
  const TestFolder& folder_;
  std::uint16_t port_ = 0;
  pid_t process_ = -1;
};

/// mosquitto_sub on one topic; "retained payload" lines such as "1 online".
class MosquittoWitness {
 public:
  MosquittoWitness(const MosquittoBroker& broker, const TestCa& ca, const std::string& topic,
                   int count);
  MosquittoWitness(const MosquittoWitness&) = delete;
  MosquittoWitness& operator=(const MosquittoWitness&) = delete;
  ~MosquittoWitness();
  /// nullopt when nothing comes for 20 s.
  std::optional<std::string> next();

 private:
  pid_t process_ = -1;
  std::FILE* output_ = nullptr;
};

}  // namespace gateway::fakes
