#include "sync/prefetch_plan.h"

#include <algorithm>
#include <functional>
#include <tuple>

#include "core/text.h"

namespace gateway::sync {
namespace {

constexpr std::size_t kDateLength = 8;

bool is_date(std::string_view text) {
  return text.size() == kDateLength &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

bool is_near(std::string_view start_date, std::string_view start_time, const core::DicomTime& now,
             const core::DicomTime& until) {
  if (!is_date(start_date) || start_date < now.date) return false;
  return std::tie(start_date, start_time) <=
         std::make_tuple(std::string_view(until.date), std::string_view(until.time));
}

std::string years_before(std::string_view today, int years) {
  if (!is_date(today)) return {};
  int year = 0;
  for (const char c : today.substr(0, 4)) year = 10 * year + (c - '0');
  year = std::max(year - years, 0);
  std::string then = std::to_string(year);
  then.insert(0, 4 - std::min<std::size_t>(then.size(), 4), '0');
  const bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  const std::string_view day = today.substr(4);
  return core::cat(then, day == "0229" && !is_leap ? "0228" : day);
}

std::vector<std::string> choose_priors(const PrefetchPolicy& policy, std::string_view today,
                                       std::string_view modality, std::string_view own_study,
                                       std::vector<PriorStudy> found) {
  const std::string oldest = years_before(today, policy.years_max);
  std::erase_if(found, [&](const PriorStudy& study) {
    const std::string& date = study.facts.study_date;
    return !is_date(date) || date > today || date < oldest ||
           study.facts.study_instance_uid.empty() || study.facts.study_instance_uid == own_study;
  });
  const auto is_of_other = [&](const PriorStudy& study) {
    return std::ranges::find(study.modalities, modality) == study.modalities.end();
  };
  std::ranges::sort(found, [&](const PriorStudy& one, const PriorStudy& other) {
    return std::make_tuple(is_of_other(one), std::cref(other.facts.study_date),
                           std::cref(other.facts.study_time),
                           std::cref(one.facts.study_instance_uid)) <
           std::make_tuple(is_of_other(other), std::cref(one.facts.study_date),
                           std::cref(one.facts.study_time),
                           std::cref(other.facts.study_instance_uid));
  });
  std::vector<std::string> chosen;
  for (const PriorStudy& study : found) {
    if (chosen.size() >= static_cast<std::size_t>(policy.studies_max)) break;
    const std::string& uid = study.facts.study_instance_uid;
    if (std::ranges::find(chosen, uid) == chosen.end()) chosen.push_back(uid);
  }
  return chosen;
}

}  // namespace gateway::sync
