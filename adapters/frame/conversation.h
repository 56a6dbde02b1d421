// What a protocol says on one connection: events of its framer in, bytes to send out. It knows no
// socket; a connection of any kind drives it, one event at a time.
#pragma once

#include <string>

#include "adapters/frame/framer.h"
#include "core/net/http.h"

namespace gateway::adapters::frame {

class Conversation {
 public:
  virtual ~Conversation() = default;
  virtual Framer& framer() = 0;
  /// The answer to send; empty: none. A positive answer is given only for what is on stable
  /// storage.
  virtual core::net::Awaitable<std::string> answer(FrameEvent event) = 0;
  /// True: nothing more is to be heard; the connection is closed behind the last answer.
  virtual bool is_over() const { return false; }
  /// True: what is heard now is a credential, and nobody's to record.
  virtual bool is_private() const { return false; }
};

}  // namespace gateway::adapters::frame
