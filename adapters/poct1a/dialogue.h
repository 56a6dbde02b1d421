// What the host says of itself on one POCT1-A connection (POCT1-A: basic and continuous profile):
// bytes and time in, events out. The device says hello (HEL) and how it stands (DST); then the host
// asks for the observations that wait (REQ), sets the clock where the site wants it and the device
// lets it (DTV SET_TIME; again every day while it stays), and asks it to stay connected and send
// what comes (DTV START_CONTINUOUS), or, where it cannot stay, ends the conversation (END). One
// thing at a time, each a moment after what was said before: some devices take what comes in one
// piece for one document. A device that does not answer in half a minute is not waited for.
#pragma once

#include <memory>
#include <string>

#include "adapters/frame/framer.h"
#include "adapters/poct1a/document.h"

namespace gateway::adapters::poct1a {

/// What the host says unasked.
enum class Step { request_observations, set_time, start_continuous, end };

/// Its events: those of DocumentFramer, and `reply`: say next_step().
class Dialogue : public frame::Framer {
 public:
  static std::unique_ptr<Dialogue> create(std::size_t document_bytes_max, bool may_set_time);
  /// What a `reply` event asks for.
  virtual Step next_step() const = 0;
  /// The step was said under this control id.
  virtual void said(std::string control_id) = 0;
  /// A document of the device, once it was taken and its answer, where it has one, made.
  virtual void heard(const Document& document, core::Monotonic now) = 0;
  /// `document` as the device sends its own: bare, or in MLLP's frame.
  virtual std::string framed(std::string document) const = 0;
};

}  // namespace gateway::adapters::poct1a
