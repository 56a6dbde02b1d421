// A framer cuts what a device sends into messages: bytes and time in, events out, no socket, no
// clock, no thread of its own. The same framer serves TCP, serial lines, replay and fuzzing.
// However the bytes are split over calls, the events are the same.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"

namespace gateway::adapters::frame {

struct FrameEvent {
  enum class Kind {
    message,   // `bytes` is one message without its frame
    broken,    // `bytes` is the beginning of a message that never ended; another began instead
    oversize,  // `bytes` is the beginning of a message longer than the limit; the rest is skipped
    // Of protocols that answer each frame (adapters/astm/link.h):
    reply,   // `bytes` are the framer's own answer, or what it sends: send them
    opened,  // the device asks whether it may send
    part,    // `bytes` is a frame's text, a piece of a message
    closed,  // what was opened is over
  };
  Kind kind = Kind::message;
  std::string bytes;
  bool operator==(const FrameEvent&) const = default;
};

/// One connection's framer; one thread at a time.
class Framer {
 public:
  virtual ~Framer() = default;
  /// Takes the next bytes; appends what they complete to `events`.
  virtual void feed(std::string_view bytes, core::Monotonic now,
                    std::vector<FrameEvent>& events) = 0;
  /// Time passed without bytes: call it when due() has come.
  virtual void tick(core::Monotonic now, std::vector<FrameEvent>& events) = 0;
  /// When tick() has something to do; nothing: never.
  virtual std::optional<core::Monotonic> due() const = 0;
  /// True in the middle of a message: silence now is a stall, not rest.
  virtual bool in_message() const = 0;
  /// Bytes outside of any frame that were skipped.
  virtual std::uint64_t skipped() const = 0;
};

}  // namespace gateway::adapters::frame
