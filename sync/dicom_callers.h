// DICOM callers that the settings do not list: recorded while the gateway learns, approved or
// removed by a person. What waits is bounded: the one unseen longest makes room. Inside the
// caller's transaction or snapshot.
#pragma once

#include <cstdint>
#include <string>

#include "core/json.h"
#include "core/result.h"
#include "crypto/database.h"

namespace gateway::sync {

inline constexpr std::int64_t kWaitingCallersMax = 256;

struct DicomCaller {
  std::string ae_title;  // may be empty: some modalities send none
  std::string address;
  bool is_encrypted = false;
  std::string called_ae_title;
};

enum class CallerState { unknown, waiting, approved };
struct KnownCaller {
  CallerState state = CallerState::unknown;
  std::string last_at;  // instant
};
core::Result<KnownCaller> look_up_caller(crypto::Connection& connection, const DicomCaller& caller);

/// Records that it called, or called again; leaves an approval alone.
core::Status note_caller(crypto::Connection& connection, const DicomCaller& caller,
                         const std::string& now_instant);

/// [{"ae_title","address","encrypted","state","called_ae_title","first_at","last_at"}], waiting
/// first.
core::Result<core::Json> callers_report(crypto::Connection& connection);

/// Of one AE title, at one address or (empty) at all it called from. Code::not_found when there is
/// none.
core::Result<std::int64_t> approve_callers(crypto::Connection& connection,
                                           const std::string& ae_title, const std::string& address);
core::Result<std::int64_t> remove_callers(crypto::Connection& connection,
                                          const std::string& ae_title, const std::string& address);

}  // namespace gateway::sync
