#include "sync/refusal_class.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "core/text.h"

namespace gateway::sync {
namespace {

using core::cat;

// FHIR R4, http://hl7.org/fhir/ValueSet/issue-type, sorted.
constexpr std::array<std::string_view, 31> kIssueTypes{
    "business-rule", "code-invalid", "conflict",      "deleted",
    "duplicate",     "exception",    "expired",       "extension",
    "forbidden",     "incomplete",   "informational", "invalid",
    "invariant",     "lock-error",   "login",         "multiple-matches",
    "no-store",      "not-found",    "not-supported", "processing",
    "required",      "security",     "structure",     "suppressed",
    "throttled",     "timeout",      "too-costly",    "too-long",
    "transient",     "unknown",      "value"};
constexpr std::size_t kCodesMax = 5;
constexpr std::string_view kAnswered = "answered ";
// Our own words in front of a status are fewer.
constexpr std::size_t kFrontMax = 60;

bool is_issue_type(std::string_view code) { return std::ranges::binary_search(kIssueTypes, code); }

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

/// The codes in the parentheses that `text` begins with.
std::string known_codes(std::string_view text) {
  if (!text.starts_with(" (")) return "";
  text = text.substr(2, text.find(')') - 2);
  std::string codes;
  for (std::size_t taken = 0; taken < kCodesMax && !text.empty(); ++taken) {
    const auto comma = std::min(text.find(", "), text.size());
    const std::string_view code = text.substr(0, comma);
    if (is_issue_type(code)) codes += cat(codes.empty() ? " (" : ", ", code);
    text.remove_prefix(std::min(text.size(), comma + 2));
  }
  return codes.empty() ? codes : codes + ")";
}

}  // namespace

std::string issue_codes(const core::Json& outcome) {
  std::string codes;
  std::size_t taken = 0;
  for (const core::Json& issue : outcome["issue"].items()) {
    const std::string_view code = issue["code"].text();
    if (!is_issue_type(code) || taken++ == kCodesMax) continue;
    codes += cat(codes.empty() ? " (" : ", ", code);
  }
  return codes.empty() ? codes : codes + ")";
}

std::string refusal_class(std::string_view reason) {
  const auto at = reason.substr(0, kFrontMax).find(kAnswered);
  if (at == reason.npos) return "other";
  const std::string_view status = reason.substr(at + kAnswered.size(), 3);
  if (status.size() != 3 || !std::ranges::all_of(status, is_digit)) return "other";
  return cat("HTTP ", status, known_codes(reason.substr(at + kAnswered.size() + 3)));
}

}  // namespace gateway::sync
