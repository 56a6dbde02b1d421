// Queries by DICOM in the audit trail: who asked, from where, and how much they were shown.
// Modalities ask for the worklist every minute, so a query that shows its caller what the same
// caller was shown within the hour adds no row. Internal to adapters/dicom; thread-safe.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "adapters/dicom/association.h"
#include "core/clock.h"
#include "sync/holdings.h"

namespace gateway::adapters::dicom {

class QueryTrail {
 public:
  /// `clock` outlives this.
  explicit QueryTrail(const core::Clock& clock) : clock_(clock) {}

  /// What a query was answered with: `of`: "worklist" or "archive"; `shown`: the same for the same
  /// answers.
  struct Answered {
    std::string_view of;
    std::size_t matches = 0;
    std::size_t shown = 0;
  };
  /// Queues the row, without waiting for its commit.
  void note(sync::Holdings& holdings, Association& association, const Answered& answered);

 private:
  struct Shown {
    std::size_t what = 0;
    core::Monotonic at;
  };
  bool is_news(const std::string& caller, const Answered& answered);

  const core::Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Shown, std::less<>> shown_;  // by caller and kind of query
};

}  // namespace gateway::adapters::dicom
