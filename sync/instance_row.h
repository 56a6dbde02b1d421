// An instance's place in the outbox of one uplink of images.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"
#include "crypto/database.h"
#include "sync/urgency.h"

namespace gateway::sync {

struct QueuedInstance {
  std::int64_t row = 0;  // of dicom_instance
  std::uint64_t bytes = 0;
  bool is_other_copy = false;  // other bytes under the UID of one received before
  bool perhaps_sent = false;
  Turn turn = Turn::routine;
  std::string hold;  // why it must not leave (hold_of_study()); empty: nothing is against it
};

/// Queues it; parked from the beginning where a person has to say first whether it may go. Runs
/// inside the caller's transaction, once for each instance and uplink.
core::Status queue_instance(crypto::Connection& connection, std::string_view uplink,
                            const QueuedInstance& instance, std::string_view now_instant);

}  // namespace gateway::sync
