// The message of the MLLP bench: an ORU^R01 with one order and some results, as an analyzer sends
// it. The same number gives the same message.
#pragma once

#include <cstdint>
#include <string>

#include "core/clock.h"
#include "core/text.h"

namespace gateway::bench {

inline constexpr std::int64_t kPatients = 20'000;

/// "20260301101500+0000": message `number` comes two minutes after the one before.
inline std::string message_time(std::int64_t number) {
  const core::Wall at = core::Wall(std::chrono::seconds(1'735'689'600 + 120 * number));
  std::string digits;
  for (const char c : core::to_instant(at).substr(0, 19)) {
    if (c >= '0' && c <= '9') digits += c;
  }
  return digits + "+0000";
}

inline std::string oru_message(std::int64_t number, std::int64_t results) {
  const std::int64_t patient = number * 7'919 % kPatients;
  const std::string time = message_time(number);
  std::string text =
      core::cat("MSH|^~\\&|ANALYZER|LAB|GW|CLINIC|", time, "||ORU^R01^ORU_R01|M", number,
                "|P|2.5.1\rPID|1||P", patient, "^^^^MR||Family", patient % 5'000,
                "^Given||19800102|F\rOBR|1|PL", number, "|FI", number, "|24323-8^Panel^LN|||", time,
                "|||||||||||||||", time, "|||F\r");
  for (std::int64_t result = 1; result <= results; ++result) {
    text += core::cat("OBX|", result, "|NM|", 2'345 + result, "-7^Glucose^LN||",
                      60 + (number + result) % 90, ".0|mg/dL|70-110|N|||F|||", time, "\r");
  }
  return text;
}

}  // namespace gateway::bench
