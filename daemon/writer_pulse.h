// A token through the database's writer thread: the watchdog's proof that commits still come
// through when nobody else writes. Loop thread only.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "sync/holdings.h"

namespace gateway::daemon {

class WriterPulse {
 public:
  /// Sends the next token if the last one is back, and answers a count that grows while the writer
  /// works; nothing while LOCKED. A refused commit (disk full) counts: the writer did answer.
  std::optional<std::uint64_t> counter(const std::shared_ptr<sync::Holdings>& holdings);

 private:
  struct Tokens {
    std::atomic<std::uint64_t> answered{0};
    std::atomic<bool> under_way{false};
  };
  std::shared_ptr<Tokens> tokens_ = std::make_shared<Tokens>();
};

}  // namespace gateway::daemon
