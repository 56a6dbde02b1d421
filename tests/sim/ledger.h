// What was entered by people, wherever: each value carries a mark of its own (#17#), so that it can
// be told whether it is still there at the end, was knowingly replaced, waits in a review - or is
// lost. A mark is written into one place only: found twice in a resource, it was doubled.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace gateway::sim {

/// All marks in the text, with repeats.
std::vector<std::int64_t> marks_in(std::string_view text);

class Ledger {
 public:
  std::string new_mark() { return "#" + std::to_string(++last_) + "#"; }
  /// Somebody saw `before` and made it `after`: what is new was entered, what is gone was replaced.
  void edited(const std::string& key, std::string_view before, std::string_view after) {
    edited(key, before, before, after);
  }
  /// The same of somebody who was shown only `told` of what is there: the rest they can't have
  /// replaced.
  void edited(const std::string& key, std::string_view before, std::string_view told,
              std::string_view after);
  /// Marks of `key` that have to be somewhere.
  std::vector<std::int64_t> owed(const std::string& key) const;
  std::vector<std::string> keys() const;

 private:
  std::int64_t last_ = 0;
  std::map<std::string, std::set<std::int64_t>> entered_;
  std::set<std::int64_t> replaced_;
};

}  // namespace gateway::sim
