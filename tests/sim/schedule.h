// One schedule: three clinics and a hospital, 200 things people do, 20 or more things that go
// wrong, then peace; and what must hold after it. Everything in it follows from the seed.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "crypto/audit.h"
#include "crypto/keyring.h"
#include "tests/sim/memory_records.h"

namespace gateway::sim {

inline constexpr std::size_t kClinics = 3;

struct Verdict {
  std::uint64_t seed = 0;
  std::uint64_t trace = 0;  // hash of all that happened, in order
  std::int64_t operations = 0;
  std::int64_t faults = 0;
  std::int64_t merged = 0;  // conflicts settled without a question
  std::int64_t asked = 0;   // conflicts a person is asked about
  std::int64_t lost = 0;
  std::int64_t doubled = 0;
  std::int64_t diverged = 0;          // also what never comes to rest, and dangling references
  std::vector<std::string> problems;  // one line each

  bool holds() const { return problems.empty(); }
};

/// What schedules of one process share: made once, since making it costs more than a schedule.
struct Ground {
  std::array<MemoryRecords, kClinics> records;
  std::unique_ptr<crypto::Keyring> keys;
  crypto::Audit audit;
};

/// `prints`: every event goes to standard output as it happens.
Verdict run_schedule(Ground& ground, std::uint64_t seed, bool prints);

}  // namespace gateway::sim
