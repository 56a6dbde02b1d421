// Which visits are near, and which of a patient's studies at the PACS are worth having here by
// then. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/civil_time.h"
#include "sync/imaging.h"

namespace gateway::sync {

struct PrefetchPolicy {
  std::uint64_t quota_bytes = 0;  // of all that is held because it was fetched
  int studies_max = 0;            // of a patient
  int years_max = 0;              // how old they may be
  core::Milliseconds ahead{0};    // of the visit
};

/// A study that the PACS says it has. Only ids, dates and the patient's facts are filled in.
struct PriorStudy {
  InstanceFacts facts;
  std::vector<std::string> modalities;
};

/// From the beginning of today on (the patient may be late, the modality's clock ahead) until
/// `until`. Both in the site's time; a step without a time is near all day.
bool is_near(std::string_view start_date, std::string_view start_time, const core::DicomTime& now,
             const core::DicomTime& until);

/// The DA that many years before `today`.
std::string years_before(std::string_view today, int years);

/// Study Instance UIDs in the order they are wanted: those with the visit's modality first, the
/// newest of each first. Not those younger than `today`, older than the policy allows or without a
/// date, nor the visit's own study.
std::vector<std::string> choose_priors(const PrefetchPolicy& policy, std::string_view today,
                                       std::string_view modality, std::string_view own_study,
                                       std::vector<PriorStudy> found);

}  // namespace gateway::sync
