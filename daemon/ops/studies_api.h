// What the control socket does with held studies, besides listing them, and with media:
//
//   GET  /v1/study/UID?from=ROW              a page of its instances (sync/study_actions.h)
//   POST /v1/study/UID/send    {"uplink":""} {"queued":N}; no uplink: all
//   POST /v1/study/UID/delete                {"evicted":N,"kept":M}
//   POST /v1/study/UID/withdraw {"reason":"wrong-patient","series":"","instances":[]}
//                                            {"withdrawn":N,"note":UID}; neither: the whole study
//   POST /v1/study/UID/restore               {"restored":N}
//   GET  /v1/media/ROW?from=OFFSET           the instance as a DICOM file, at most 1 MiB; none at
//   the
//                                            end
//   POST /v1/media/import      {"patient":"ID"}  begins a file; the one before it ends
//   POST /v1/media/bytes       its next bytes, at most 1 MiB
//   POST /v1/media/done                      {"outcome":"stored|repeated|other copy"}
//
// For the operator on the box, with patients. Loop thread only; the work is done on a lane.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "adapters/dicom/media.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/net/http.h"
#include "daemon/blocking.h"
#include "sync/holdings.h"

namespace gateway::daemon {

class StudiesApi {
 public:
  /// `door` and `clock` outlive it; `queued` runs after something was queued.
  StudiesApi(const sync::HoldingsDoor& door, const core::Clock& clock, std::function<void()> queued)
      : door_(door), clock_(clock), queued_(std::move(queued)) {}

  /// Its own routes, else `rest`.
  core::net::HttpHandler routes(core::net::HttpHandler rest);
  /// Waits for what runs; an import that was not finished leaves nothing.
  void stop();

 private:
  using Response = core::net::HttpResponse;
  core::net::Awaitable<Response> answer(core::net::HttpRequest request);
  core::Result<Response> serve(sync::Holdings& holdings, const core::net::HttpRequest& request);
  core::Result<Response> serve_study(sync::Holdings& holdings,
                                     const core::net::HttpRequest& request);
  core::Result<core::Json> act_on_study(sync::Holdings& holdings, const std::string& study_uid,
                                        std::string_view action, const std::string& body);
  core::Result<Response> serve_media(sync::Holdings& holdings,
                                     const core::net::HttpRequest& request);
  core::Result<Response> give(sync::Holdings& holdings, std::int64_t row, std::uint64_t from);

  const sync::HoldingsDoor& door_;
  const core::Clock& clock_;
  const std::function<void()> queued_;
  // The lane's:
  std::unique_ptr<adapters::dicom::MediaImport> import_;
  std::unique_ptr<adapters::dicom::MediaExport> export_;
  std::int64_t exported_row_ = 0;
  std::string exported_study_;  // the last one that is in the audit trail
  BlockingLane lane_;           // last: what runs on it uses the above
};

}  // namespace gateway::daemon
