// A damaged object: fetched again from a PACS that has it, else kept in the list of damage that a
// person sees. Blocks its loop for disk and database; for the upkeep thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/json.h"
#include "core/net/http.h"
#include "sync/holdings.h"
#include "sync/pacs_clients.h"

namespace gateway::sync {

struct DamagedObject {
  std::int64_t row = 0;
  std::string object_id;
  std::string what;        // what is wrong with it
  std::uint64_t size = 0;  // as its row says; set by damaged_objects()
};

/// Fetches the instance from the uplinks that took it. Its row gets the new object in one
/// transaction, which also dooms the old one; a copy counts only if its SOP Instance UID, transfer
/// syntax and data set (by digest where one is known, else by length and by every
/// part of the damaged object that can still be read) are those of the row. Without a digest
/// nothing takes the place of what may open again: a file the drive does not give, or any while the
/// key of an epoch is lost. True: replaced, or no longer wanted. False: noted as damaged, with the
/// reason.
core::net::Awaitable<core::Result<bool>> replace_damaged(std::shared_ptr<Holdings> holdings,
                                                         PacsClients& pacs,
                                                         const core::Clock& clock,
                                                         DamagedObject damaged);

/// A noted one reads to its end again: its epoch's key was put back, or the drive gives it now.
core::Status note_sound(Holdings& holdings, const core::Clock& clock, const DamagedObject& sound);

/// What is noted as damaged, at most `limit`, oldest row first.
core::Result<std::vector<DamagedObject>> damaged_objects(crypto::Connection& connection,
                                                         std::int64_t after_row, int limit);

/// For the operator on the box: [{"sop_instance_uid","study_uid","object_id","damage","found_at",
/// "fetched"}]
core::Result<core::Json> damage_report(crypto::Connection& connection, std::int64_t limit);

}  // namespace gateway::sync
