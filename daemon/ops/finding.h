// What a check of `doctor` found, in sentences for clinic IT.
#pragma once

#include <string>
#include <utility>

namespace gateway::daemon {

enum class Verdict { ok, warn, fail };

struct Finding {
  std::string check;  // "disk", "uplink his", ...
  Verdict verdict = Verdict::ok;
  std::string detail;
  std::string advice;  // empty when ok
};

inline Finding good(std::string check, std::string detail) {
  return {std::move(check), Verdict::ok, std::move(detail), ""};
}
inline Finding bad(Verdict verdict, std::string check, std::string detail, std::string advice) {
  return {std::move(check), verdict, std::move(detail), std::move(advice)};
}

enum class DaemonSeen { running, absent };

}  // namespace gateway::daemon
