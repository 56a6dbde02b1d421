// What the control socket answers about who may call by DICOM:
//
//   GET  /v1/peers          {"callers":[...],"peers":[...]}: recorded (sync/dicom_callers.h), and
//   of
//                           the settings: {"name","ae_title","host","port"}
//   POST /v1/peers/approve  {"ae_title":"...","address":"..."} -> {"changed":N}; no address: all
//   POST /v1/peers/remove   the same
//
// Blocking: called off the loop.
#pragma once

#include <string>
#include <string_view>

#include "adapters/dicom/dicom_options.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/result.h"
#include "daemon/ops/control.h"
#include "sync/holdings.h"

namespace gateway::daemon {

inline constexpr std::string_view kPeerRoutes = "/v1/peers";

core::Result<core::Json> answer_peers(sync::Holdings& holdings, const core::Clock& clock,
                                      const adapters::dicom::DicomOptions& dicom,
                                      std::string_view method, std::string_view path,
                                      const std::string& body, const Caller& caller);

}  // namespace gateway::daemon
