#include "adapters/hl7/vitals.h"

#include <charconv>
#include <chrono>
#include <cmath>
#include <optional>

namespace gateway::adapters::hl7 {
namespace {

// Of a ward: each forgotten is at most one value sent too often.
constexpr std::size_t kStreamsMax = 10'000;

std::optional<double> number_of(const std::string& text) {
  double number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

bool VitalsSampler::is_due(const Vital& vital) const {
  const auto last = sent_.find(vital.stream);
  if (rule_.interval.count() == 0 || last == sent_.end()) return true;
  const Sent& sent = last->second;
  if (sent.flag != vital.flag) return true;
  if (std::chrono::abs(vital.at - sent.at) >= rule_.interval) return true;
  const auto before = number_of(sent.value);
  const auto now = number_of(vital.value);
  if (!before || !now) return sent.value != vital.value;
  const auto change = rule_.change.find(vital.code);
  return change != rule_.change.end() && std::abs(*now - *before) >= change->second;
}

std::vector<bool> VitalsSampler::due(const std::vector<Vital>& vitals) const {
  std::vector<bool> due;
  for (const Vital& vital : vitals) due.push_back(is_due(vital));
  return due;
}

void VitalsSampler::note_sent(const std::vector<Vital>& vitals, const std::vector<bool>& due) {
  if (sent_.size() > kStreamsMax) sent_.clear();
  for (std::size_t i = 0; i < vitals.size(); ++i) {
    if (due[i]) sent_[vitals[i].stream] = {vitals[i].value, vitals[i].flag, vitals[i].at};
  }
}

}  // namespace gateway::adapters::hl7
