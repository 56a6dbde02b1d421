#include "sync/instance_row.h"

#include <optional>

#include "sync/outbox.h"

namespace gateway::sync {

core::Status queue_instance(crypto::Connection& connection, std::string_view uplink,
                            const QueuedInstance& instance, std::string_view now_instant) {
  GW_TRY(const std::int64_t number,
         queue_row(connection, uplink, "instance", std::to_string(instance.row), instance.bytes,
                   std::nullopt, now_instant, instance.turn));
  if (instance.perhaps_sent)
    GW_CHECK(connection.run("UPDATE outbox SET perhaps_sent = 1 WHERE number = ?", number));
  std::string_view reason = instance.hold;
  // Which of two objects under one UID the hospital should have is for a person to say.
  if (instance.is_other_copy) {
    reason =
        "another object with the same SOP Instance UID but other bytes was received before; both "
        "are kept, only the first was sent";
  }
  if (reason.empty()) return {};
  return connection.run("UPDATE outbox SET state = 'parked', reason = ? WHERE number = ?", reason,
                        number);
}

}  // namespace gateway::sync
