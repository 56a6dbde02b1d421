// Patients that no query of a pull finds: brings what the server changed in the records of those
// that are held here (merges above all), and asks whether it knows those that were registered here
// by one of their identifiers; who is found so is proposed as the same person
// (sync/duplicate_patients.h). Not where a query brings every Patient, or nothing is pulled.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sync/fhir_pull.h"

namespace gateway::sync {

/// Of one server; on one thread.
class FollowedPatients {
 public:
  /// After a pull of `queries` that reached the server. Those who were registered since, or got an
  /// identifier, are asked for each time, all others every hour; what was refused or broke off is
  /// asked again in an hour. Answers how many resources are new or changed.
  core::net::Awaitable<std::int64_t> pull(const Pulling& pulling,
                                          const std::vector<std::string>& queries);
  /// What the last time was not answered, for people, without patient data; empty: nothing.
  const std::string& refused() const { return refused_; }

 private:
  /// One question, in as few queries as a server takes. True: all of it was answered and applied;
  /// then `until` is where the next one goes on.
  core::net::Awaitable<bool> ask(const Pulling& pulling, std::string_view name,
                                 std::vector<std::string> values, std::string since,
                                 std::string& until);

  core::Monotonic next_{};
  core::Monotonic next_registered_{};
  std::string refused_;
  std::int64_t applied_ = 0;
};

}  // namespace gateway::sync
