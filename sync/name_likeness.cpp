#include "sync/name_likeness.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

namespace gateway::sync {
namespace {

constexpr std::size_t kLettersMax = 64;

/// Letters put in, left out, exchanged or swapped with their neighbour, at the least.
std::size_t slips(std::string_view one, std::string_view other) {
  using Row = std::array<std::size_t, kLettersMax + 1>;
  Row before_last{};
  Row last{};
  Row row{};
  for (std::size_t j = 0; j <= other.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= one.size(); ++i) {
    before_last = last;
    last = row;
    row[0] = i;
    for (std::size_t j = 1; j <= other.size(); ++j) {
      const std::size_t exchanged = last[j - 1] + (one[i - 1] == other[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, exchanged});
      const bool is_swap =
          i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1];
      if (is_swap) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
  }
  return row[other.size()];
}

/// Its consonants by how they sound, each run once (the groups of Soundex).
std::string sound(std::string_view name) {
  constexpr std::string_view kGroups = "01230120022455012623010202";  // a to z; 0 is not heard
  std::string key;
  for (const char c : name) {
    const char group = c >= 'a' && c <= 'z' ? kGroups[static_cast<std::size_t>(c - 'a')] : '0';
    if (group != '0' && (key.empty() || key.back() != group)) key += group;
  }
  return key;
}

}  // namespace

Likeness likeness(std::string_view one, std::string_view other) {
  one = one.substr(0, kLettersMax);
  other = other.substr(0, kLettersMax);
  if (one.empty() || other.empty()) return Likeness::other;
  if (one == other) return Likeness::same;
  const std::size_t shorter = std::min(one.size(), other.size());
  const std::size_t longer = std::max(one.size(), other.size());
  if (shorter < 3 || longer - shorter > 3) return Likeness::other;
  const std::size_t apart = slips(one, other);
  if (apart <= (shorter < 6 ? 1U : 2U)) return Likeness::near;
  const std::string heard = sound(one);
  const bool sounds_alike = heard.size() > 1 && heard == sound(other);
  return sounds_alike && apart * 2 <= longer ? Likeness::near : Likeness::other;
}

}  // namespace gateway::sync
