// Small pictures for the console's list of studies: of each study one image that stands for it,
// made as WADO-RS makes its thumbnails (daemon/api/dicomweb/answers.h). One at a time: nothing else
// of the console waits for pictures, and they leave a core to what is taken in. Thread-safe.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/net/http.h"
#include "daemon/api/dicomweb/memory.h"
#include "daemon/blocking.h"
#include "sync/holdings.h"
#include "sync/patient_trail.h"

namespace gateway::daemon::console {

/// The study of "studies/UID/thumbnail"; nothing: it is another path.
std::optional<std::string> study_of_thumbnail(std::string_view path);

struct Thumbnail {
  /// 200, image/jpeg; 204: nothing here of the study is a picture.
  core::net::HttpResponse response;
  sync::TrailedStudy study;  // whose it is, with 200
};

class Thumbnails {
 public:
  /// `clock` outlives it.
  explicit Thumbnails(const core::Clock& clock)
      : clock_(clock), memory_(std::make_shared<dicomweb::Memory>()) {}

  core::net::Awaitable<core::Result<Thumbnail>> make(std::shared_ptr<sync::Holdings> holdings,
                                                     std::string study_uid);
  /// The picture that is being made is answered, the others are refused (Code::cancelled) at once;
  /// every caller of make() is woken, which the server of the console waits for as it ends.
  void close() { *closed_ = true; }

 private:
  const core::Clock& clock_;
  const std::shared_ptr<dicomweb::Memory> memory_;
  const std::shared_ptr<std::atomic<bool>> closed_ = std::make_shared<std::atomic<bool>>(false);
  BlockingLane lane_;  // last: what runs on it uses the above
};

}  // namespace gateway::daemon::console
