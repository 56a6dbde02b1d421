// Intake of messages: what one message became, in one transaction. Raw bytes, resources, outbox
// rows, counts of what no map covers and the audit row are committed together; only then may the
// device hear its positive answer. The same bytes under the same control id are recognised and
// answered as before; the same facts in another message change nothing (ids are made from what a
// thing is, see Draft::seed).
//
// Order: messages are taken in as they arrive, all by the one writer; an event older than what is
// held never overwrites it, a result's status only moves forward (sync/draft.h).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/net/http.h"
#include "core/result.h"
#include "crypto/audit.h"
#include "crypto/database.h"
#include "sync/incoming_message.h"
#include "sync/worklist.h"

namespace gateway::sync {

struct Taken {
  enum class Outcome { stored, repeated, unassigned, dead } outcome = Outcome::stored;
  std::int64_t number = 0;
  std::string answer;  // the first answer's text for a repeat
  std::string reason;
  std::size_t changed = 0;  // resources that are new or other than before
};
std::string_view to_string(Taken::Outcome outcome);

/// A message that waits for a person: what was kept, for working on it again.
struct KeptMessage {
  std::int64_t number = 0;
  std::string device, control_id, kind, state, reason, received_at, answer;
  std::string bytes;
};

/// Thread-safe.
class Intake {
 public:
  /// `worklist` outlives it. `has_room`: an Error once the disk is at its reserve, which what is
  /// held already needs.
  Intake(crypto::Database& database, const crypto::Audit& audit, const core::Clock& clock,
         std::vector<std::string> fhir_uplinks, const WorklistOptions& worklist,
         std::function<core::Status()> has_room);

  /// Resumes once it is on stable storage. Code::busy, no_space...: nothing was taken.
  core::net::Awaitable<core::Result<Taken>> take(std::shared_ptr<const IncomingMessage> message);
  /// Adds to the unfinished message `number` (0: begins one) what came of it so far, in a protocol
  /// that answers each piece. It waits as a dead letter until take() brings the whole with `begun`,
  /// or any message of the device that begins with the same bytes. Answers its number. Code::
  /// not_found: it is gone, the device must begin anew.
  core::net::Awaitable<core::Result<std::int64_t>> take_part(
      std::int64_t number, std::shared_ptr<const IncomingMessage> part);
  /// The same as take() for a thread that may wait.
  core::Result<Taken> take_now(const IncomingMessage& message);
  /// Takes kept message `number` in again as `message` is mapped now. `patient`: the Patient a
  /// person says it is about, else empty. Code::not_found: no such message waits.
  core::Result<Taken> take_again(std::int64_t number, const IncomingMessage& message,
                                 const std::string& patient);

  /// Called after each commit that queued something, from any thread. Set once, before any take.
  void on_queued(std::function<void()> wake) { wake_ = std::move(wake); }

 private:
  crypto::Database& database_;
  const crypto::Audit& audit_;
  const core::Clock& clock_;
  std::vector<std::string> fhir_uplinks_;
  const WorklistOptions& worklist_;
  const std::function<core::Status()> has_room_;
  std::function<void()> wake_ = [] {};
};

/// A message that is not stored; Code::not_found when there is none of that number.
core::Result<KeptMessage> read_kept_message(crypto::Connection& connection, std::int64_t number);

/// The bytes of a device's newest messages that are still held, the oldest of them first. Here and
/// below fewer where they are more than 8 MiB.
core::Result<std::vector<std::string>> newest_messages(crypto::Connection& connection,
                                                       const std::string& device,
                                                       std::size_t count_max);

/// The bytes of a device's dead letters that wait for that reason, the newest first.
core::Result<std::vector<std::string>> dead_letters(crypto::Connection& connection,
                                                    const std::string& device,
                                                    const std::string& reason,
                                                    std::size_t count_max);

/// What waits for a person, oldest first: {"number","device","kind","control_id","received_at",
/// "state","reason","bytes"}.
core::Result<core::Json> letters_report(crypto::Connection& connection, std::int64_t limit);
/// What no map covers, most frequent first: {"device","what","system","code","label","count"}.
core::Result<core::Json> gaps_report(crypto::Connection& connection, std::int64_t limit);

}  // namespace gateway::sync
