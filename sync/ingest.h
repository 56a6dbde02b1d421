// The one door for new data. Whatever an adapter received enters here; only after store() has
// answered ok may the adapter give its positive answer: rows, object reference, outbox rows and
// audit are then committed together on stable storage.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "crypto/audit.h"
#include "crypto/database.h"
#include "crypto/objects.h"
#include "sync/imaging.h"
#include "sync/performed_step.h"
#include "sync/rejection.h"
#include "sync/routes.h"
#include "sync/settling.h"

namespace gateway::sync {

struct IngestOptions {
  std::string patient_id_issuer;  // FHIR system of patient ids whose data set names no issuer
  std::vector<std::string> image_uplinks;  // where instances go
  std::vector<std::string> fhir_uplinks;   // where resources go
  std::string time_zone = {};              // IANA name of the site's zone
  std::vector<RouteRule> routes = {};      // in the order they are tried
  ReadRejectionNote read_rejection = {};   // what stands at the DICOM end registers it
};

/// Thread-safe; calls block until the group commit.
class Ingest {
 public:
  Ingest(crypto::Database& database, crypto::ObjectStore& objects, const crypto::Audit& audit,
         Settling& settling, const core::Clock& clock, IngestOptions options);

  /// Where bulk bytes go before store(); Code::no_space at the disk's reserve.
  core::Result<std::unique_ptr<crypto::SealedWriter>> begin_object();

  /// Finishes the object and commits the instance, whose `object` is filled in here. Its rows are
  /// prepared while the disk takes the object, and committed only once it has: an object a row
  /// names is always durable. An object under the same SOP Instance UID is compared byte by byte,
  /// or by its data set's digest where retention has evicted the bytes;
  /// for `repeated`, the one just written is removed. Code::no_space, Code::busy: the sender keeps
  /// its copy.
  core::Result<StoreOutcome> store(ReceivedInstance instance, crypto::SealedWriter& object);

  /// Commits what a modality tells of a performed procedure step, if that fits its state.
  core::Result<StepOutcome> record(const PerformedStepMessage& message);

  /// Takes in an object that lies on the disk without a row, as after the loss of the database:
  /// like store(), but what was delivered is not known any more, so its outbox rows are marked as
  /// perhaps sent, and no patient is registered for it: that may have been done before. What was
  /// fetched from a PACS goes nowhere. `repeated`: the same bytes are held under another object,
  /// which the caller may doom this one for.
  core::Result<StoreOutcome> adopt(ReceivedInstance instance, std::string received_at);

  /// Called after each commit from the committing thread: wakes the sync loop. Set once, before any
  /// store().
  void on_queued(std::function<void()> wake) { wake_ = std::move(wake); }

 private:
  struct Attempt;

  core::Status commit(Attempt& attempt, crypto::SealedWriter& object);
  core::Status send_on(crypto::Connection& connection, Attempt& attempt, std::int64_t row,
                       const std::map<std::string, std::int64_t>& needs_of, const std::string& now);
  core::Status queue(crypto::Connection& connection, Attempt& attempt, std::int64_t row,
                     const std::map<std::string, std::int64_t>& needs_of, const std::string& now);
  bool is_repeat(Attempt& attempt);
  core::Status store_in(crypto::Connection& connection, Attempt& attempt);
  void look_for_rejection(Attempt& attempt);
  core::Status settle_rejection(crypto::Connection& connection, Attempt& attempt, std::int64_t row,
                                const std::string& patient, const std::string& now);

  crypto::Database& database_;
  crypto::ObjectStore& objects_;
  const crypto::Audit& audit_;
  Settling& settling_;
  const core::Clock& clock_;
  IngestOptions options_;
  std::function<void()> wake_ = [] {};
};

}  // namespace gateway::sync
