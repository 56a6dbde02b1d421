// Keys for the tests of this room: a clock that moves by hand (standing still, it also makes the
// passphrase cost the least allowed) and one keyring per process.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "core/clock.h"
#include "crypto/keyring.h"
#include "tests/fakes/fault_files.h"

namespace gateway::crypto {

inline core::Wall at_month(int year, unsigned month) {
  return std::chrono::sys_days(std::chrono::year(year) / static_cast<int>(month) / 15);
}

class HandClock final : public core::Clock {
 public:
  core::Monotonic monotonic() const override { return {}; }
  core::Wall wall() const override { return wall_; }
  void set_wall(core::Wall wall) { wall_ = wall; }

 private:
  core::Wall wall_ = at_month(2026, 3);
};

inline Passphrase passphrase(std::string_view text) { return {Secret::copy_of(text)}; }

inline std::string text_of(const Secret& secret) {
  return {reinterpret_cast<const char*>(secret.bytes().data()), secret.size()};
}

/// Argon2id takes a while, most tests need only some keyring.
inline Keyring& shared_keyring() {
  static HandClock clock;
  static fakes::FaultFiles files;
  static auto keyring = Keyring::create(files, "/keys", passphrase("correct horse"), clock);
  return *keyring.value();
}

}  // namespace gateway::crypto
