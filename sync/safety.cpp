#include "sync/safety.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace gateway::sync {
namespace {

using core::Json;

constexpr std::string_view kRetracted = "entered-in-error";

bool has_step(const Safety& safety, std::size_t step, std::string_view code) {
  return std::ranges::find(safety.steps[step], code) != safety.steps[step].end();
}

/// Whether an element says something of which `is_it`, in any of its codings: a sender may put one
/// of its own first.
template <class IsIt>
bool says(const Json& element, IsIt is_it) {
  if (element.is_string()) return !element.text().empty() && is_it(element.text());
  return std::ranges::any_of(element["coding"].items(), [&](const Json& coding) {
    return !coding["code"].text().empty() && is_it(coding["code"].text());
  });
}

/// The step of what is said by `safety`'s element; steps.size() where not even "" is a step.
std::size_t step_of(const Safety& safety, const Json& elements) {
  const auto said = std::ranges::find_if(elements.members(), [&](const Json::Member& member) {
    return names_element(safety.element, member.first);
  });
  const bool is_said = said != elements.members().end();
  std::size_t otherwise = safety.steps.size();
  for (std::size_t step = 0; step < safety.steps.size(); ++step) {
    const auto is_it = [&](std::string_view code) { return has_step(safety, step, code); };
    if (is_said && (has_step(safety, step, "*") || says(said->second, is_it))) return step;
    if (has_step(safety, step, "")) otherwise = step;
  }
  return otherwise;
}

/// How near the elements come to saying that it does not stand (0: they say so), and how many
/// steps they are from the safest.
std::pair<std::size_t, std::size_t> standing(const ElementGroup& row, const Json& elements) {
  constexpr std::size_t kStands = 1'000;
  std::pair<std::size_t, std::size_t> result{kStands, 0};
  if (is_retracted(elements)) return result;
  for (const Safety& safety : row.safety) {
    const std::size_t step = step_of(safety, elements);
    if (step == 0) continue;
    const std::size_t last = safety.steps.size() - 1;
    result.first = std::min(result.first, last - std::min(last, step));
    result.second += step;
  }
  return result;
}

}  // namespace

std::string_view code_of(const Json& element) {
  return element.is_string() ? element.text() : element["coding"][0]["code"].text();
}

bool is_retracted(const Json& elements) {
  const auto is_it = [](std::string_view code) { return code == kRetracted; };
  return says(elements["status"], is_it) || says(elements["verificationStatus"], is_it);
}

bool acts_at_once(const ElementGroup* row, const Json& from, const Json& to) {
  if (is_retracted(to)) return !is_retracted(from);
  const auto stops = [&](const Json& elements) {
    return row && std::ranges::find(row->stops, elements["status"].text()) != row->stops.end();
  };
  return stops(to) && !stops(from) && !is_retracted(from);
}

bool takes_back(const ElementGroup& row, const Json& from, const Json& to) {
  if (is_retracted(to)) return false;
  return is_retracted(from) || std::ranges::any_of(row.safety, [&](const Safety& safety) {
           return step_of(safety, to) > step_of(safety, from);
         });
}

bool is_safer(const ElementGroup& row, const Json& elements, const Json& than) {
  if (is_retracted(elements) != is_retracted(than)) return is_retracted(elements);
  const auto one = standing(row, elements);
  const auto two = standing(row, than);
  return one.first > two.first || (one.first == two.first && one.second < two.second);
}

}  // namespace gateway::sync
