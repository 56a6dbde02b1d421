// The rows of a study, its series and instances, as every way in writes them. Inside the caller's
// transaction.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"
#include "crypto/database.h"
#include "sync/identity.h"
#include "sync/imaging.h"

namespace gateway::sync {

core::Status insert_study(crypto::Connection& connection, const InstanceFacts& facts,
                          const StudyIdentity& identity, const std::string& now_instant);

/// Nothing where it is there.
core::Status insert_series(crypto::Connection& connection, const InstanceFacts& facts);

/// Its row's number. `copy`: how many others are held under its SOP Instance UID.
core::Result<std::int64_t> insert_instance(crypto::Connection& connection,
                                           const ReceivedInstance& instance, std::int64_t copy,
                                           const std::string& now_instant);

/// Of an instance whose bytes were fetched from the PACS of `uplink`, which has them (`proof`: of
/// dicom_delivery).
core::Status keep_fetched(crypto::Connection& connection, std::int64_t row,
                          const std::string& uplink, std::string_view proof,
                          const std::string& now_instant);

/// Of one that was not here before: it belongs where it came from, and goes nowhere else.
core::Status route_home(crypto::Connection& connection, std::int64_t row,
                        const std::string& uplink);

/// Of a study whose first instance here is a fetched one.
core::Status note_fetched_study(crypto::Connection& connection, const std::string& study_uid);

}  // namespace gateway::sync
