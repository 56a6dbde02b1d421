// A monitor's values that are due: one of a kind every so often, one that changed much, one whose
// alarm flag changed (IHE PCD TF-2, PCD-01; the rule is the profile's). Time is that of the
// measurement, so that what a monitor sends late is thinned out like the rest.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "adapters/profiles/sampling.h"
#include "core/clock.h"

namespace gateway::adapters::hl7 {

/// One value of a message.
struct Vital {
  std::size_t draft = 0;  // its place among the message's
  std::string stream;     // of whom, what and where: the same for each of its kind
  std::string code;       // as the profile's map names it
  std::string value;      // as FHIR tells it
  std::string flag;       // OBX-8
  core::Wall at;          // none where the message tells no time
};

/// One device's; one thread.
class VitalsSampler {
 public:
  explicit VitalsSampler(profiles::Sampling rule) : rule_(std::move(rule)) {}

  /// Which of them are due.
  std::vector<bool> due(const std::vector<Vital>& vitals) const;
  /// They are on stable storage: they are what the next ones are compared with.
  void note_sent(const std::vector<Vital>& vitals, const std::vector<bool>& due);

 private:
  bool is_due(const Vital& vital) const;

  const profiles::Sampling rule_;
  struct Sent {
    std::string value;
    std::string flag;
    core::Wall at;
  };
  std::map<std::string, Sent> sent_;  // by stream
};

}  // namespace gateway::adapters::hl7
