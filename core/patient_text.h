// What is said of a patient: a name, an identifier, a birth date. It goes in like a text and does
// not come out like one: not into cat(), a stream, a log line, an error's sentence, a metric's
// label or JSON, unless somebody writes for_the_record(), which a reviewer sees and grep finds.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace gateway::core {

class PatientText {
 public:
  PatientText() = default;
  // Whoever has a text may say that it is a patient's.
  PatientText(std::string text) : text_(std::move(text)) {}  // NOLINT(google-explicit-constructor)
  PatientText(std::string_view text) : text_(text) {}        // NOLINT(google-explicit-constructor)
  PatientText(const char* text) : text_(text) {}             // NOLINT(google-explicit-constructor)

  bool empty() const { return text_.empty(); }
  /// For the encrypted database, a comparison with it, or a message to who treats the patient.
  const std::string& for_the_record() const { return text_; }

  bool operator==(const PatientText&) const = default;

 private:
  std::string text_;
};

}  // namespace gateway::core
