#include "tests/sim/ledger.h"

#include <charconv>

namespace gateway::sim {

std::vector<std::int64_t> marks_in(std::string_view text) {
  std::vector<std::int64_t> marks;
  for (auto at = text.find('#'); at != std::string_view::npos; at = text.find('#', at)) {
    std::int64_t mark = 0;
    const auto [end, code] = std::from_chars(text.data() + at + 1, text.data() + text.size(), mark);
    const auto stop = static_cast<std::size_t>(end - text.data());
    if (code == std::errc() && stop < text.size() && text[stop] == '#') {
      marks.push_back(mark);
      at = stop + 1;
    } else {
      ++at;
    }
  }
  return marks;
}

void Ledger::edited(const std::string& key, std::string_view before, std::string_view told,
                    std::string_view after) {
  const auto old_marks = marks_in(before);
  const auto told_marks = marks_in(told);
  const std::set<std::int64_t> known(told_marks.begin(), told_marks.end());
  const auto new_marks = marks_in(after);
  const std::set<std::int64_t> kept(new_marks.begin(), new_marks.end());
  entered_[key].insert(kept.begin(), kept.end());
  for (const std::int64_t mark : old_marks) {
    if (!kept.contains(mark) && known.contains(mark)) replaced_.insert(mark);
  }
  // What a person brings back is no longer replaced.
  const std::set<std::int64_t> seen(old_marks.begin(), old_marks.end());
  for (const std::int64_t mark : kept) {
    if (!seen.contains(mark)) replaced_.erase(mark);
  }
}

std::vector<std::int64_t> Ledger::owed(const std::string& key) const {
  std::vector<std::int64_t> marks;
  const auto at = entered_.find(key);
  if (at == entered_.end()) return marks;
  for (const std::int64_t mark : at->second) {
    if (!replaced_.contains(mark)) marks.push_back(mark);
  }
  return marks;
}

std::vector<std::string> Ledger::keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, marks] : entered_) keys.push_back(key);
  return keys;
}

}  // namespace gateway::sim
