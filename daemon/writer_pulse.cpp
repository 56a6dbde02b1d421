#include "daemon/writer_pulse.h"

namespace gateway::daemon {

std::optional<std::uint64_t> WriterPulse::counter(const std::shared_ptr<sync::Holdings>& holdings) {
  if (!holdings) return std::nullopt;
  if (!tokens_->under_way.exchange(true)) {
    holdings->database().write_async([](crypto::Connection&) { return core::Status(); },
                                     [tokens = tokens_](const core::Status& status) {
                                       // A full queue answers at once, without the writer: only its
                                       // commits can show progress.
                                       const bool by_writer =
                                           status.ok() || status.error().code() != core::Code::busy;
                                       if (by_writer) tokens->answered.fetch_add(1);
                                       tokens->under_way.store(false);
                                     });
  }
  return holdings->database().groups_committed() + tokens_->answered.load();
}

}  // namespace gateway::daemon
