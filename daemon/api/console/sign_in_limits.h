// How often somebody may try to sign in. After five failures in a row for a name, or twenty from an
// address, the next try has to wait a minute, then two, four, eight, at most fifteen. An hour
// without a failure forgets them. In memory and bounded: a restart of the daemon forgets too, which
// nobody from outside can bring about. Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "core/clock.h"

namespace gateway::daemon::console {

class SignInLimits {
 public:
  explicit SignInLimits(const core::Clock& clock) : clock_(clock) {}
  /// Zero: it may be tried now.
  core::Milliseconds wait(const std::string& name, const std::string& address);
  void failed(const std::string& name, const std::string& address);
  void succeeded(const std::string& name, const std::string& address);

 private:
  struct Record {
    unsigned failures = 0;
    core::Monotonic last;
    core::Monotonic free_at;
  };
  void count(const std::string& key, unsigned free_failures);

  const core::Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Record> records_;  // guarded by mutex_; "name ..." and "address ..."
};

}  // namespace gateway::daemon::console
