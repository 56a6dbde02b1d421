// Which resources were on their way out while something was read from the server: what was read may
// then be older than what has been delivered since, and must not take its place. On one loop
// thread; of one uplink; one reader at a time.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace gateway::sync {

class Crossings {
 public:
  void begin(const std::string& subject) { under_way_.insert(subject); }
  void end(const std::string& subject) {
    under_way_.erase(under_way_.find(subject));
    ended_[subject] = ++endings_;
  }
  /// To be taken before a request goes out. Forgets what a reader before this one needed.
  std::uint64_t before_reading() {
    ended_.clear();
    return endings_;
  }
  /// True when `subject` was being delivered at `mark` or later.
  bool crossed(const std::string& subject, std::uint64_t mark) const {
    const auto at = ended_.find(subject);
    return under_way_.contains(subject) || (at != ended_.end() && at->second > mark);
  }

 private:
  std::uint64_t endings_ = 0;
  std::multiset<std::string> under_way_;
  std::map<std::string, std::uint64_t> ended_;
};

/// Subjects on their way for as long as this lives, however that ends.
class UnderWay {
 public:
  UnderWay(Crossings& crossings, std::vector<std::string> subjects)
      : crossings_(crossings), subjects_(std::move(subjects)) {
    for (const std::string& subject : subjects_) crossings_.begin(subject);
  }
  ~UnderWay() {
    for (const std::string& subject : subjects_) crossings_.end(subject);
  }
  UnderWay(const UnderWay&) = delete;
  UnderWay& operator=(const UnderWay&) = delete;

 private:
  Crossings& crossings_;
  std::vector<std::string> subjects_;
};

}  // namespace gateway::sync
