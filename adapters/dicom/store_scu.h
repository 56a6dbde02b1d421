// Storage SCU (PS3.4 B): outbox rows of instances to a PACS, several over one association, as they
// are held, with the patient's identity as it is now. Internal to adapters/dicom.
#pragma once

#include <map>
#include <mutex>
#include <vector>

#include "adapters/dicom/outgoing_association.h"
#include "adapters/dicom/uplink_options.h"
#include "core/clock.h"
#include "sync/holdings.h"
#include "sync/uplink.h"

namespace gateway::adapters::dicom {

/// Rows at whose objects the association broke, time after time: some objects do that to some
/// peers, and must not keep those behind them waiting. Thread-safe.
class Breaks {
 public:
  /// True: so often now that it is the object, not the link.
  bool broke_at(std::int64_t row);
  void got_over(std::int64_t row);

 private:
  std::mutex mutex_;
  std::map<std::int64_t, unsigned> times_;  // of rows that are still to be sent
};

/// At most this many rows go over one association: a context of their own each, and one they can be
/// decoded to.
inline constexpr std::size_t kStoredAtOnceMax = 64;

/// Blocks. One outcome per row: of a connection that breaks, what was answered is delivered, what
/// was on its way is lost, the rest was not reached.
std::vector<sync::RowOutcome> store_rows(const DicomUplink& uplink, sync::Holdings& holdings,
                                         const core::Clock& clock, Line& line, Breaks& breaks,
                                         const std::vector<sync::OutboxRow>& rows);

}  // namespace gateway::adapters::dicom
