// Listeners for devices, on TCP or a Unix socket, all on one thread of their own. A connection
// reads, frames and answers in order: what a device sends faster than it is taken in waits in its
// own socket. Connections beyond the limit are closed at once, those that say nothing after the
// idle time, those that stop in the middle of a message after the stall time, those whose TLS
// handshake does not end after the handshake time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/frame/conversation.h"
#include "adapters/frame/line_recorder.h"
#include "core/clock.h"
#include "core/net/tls_server.h"
#include "core/result.h"

namespace gateway::adapters::frame {

struct ListenerOptions {
  std::string name;              // the device's, for the log
  std::string bind = "0.0.0.0";  // numeric IPv4 or IPv6 address
  std::uint16_t port = 0;        // 0 (tests only): any free one
  std::string path = {};         // of a Unix socket, instead of the two; mode 0660
  std::size_t connections_max = 8;
  core::Milliseconds idle_timeout{0};  // 0: a device may be silent for days
  core::Milliseconds stall_timeout{60'000};
  core::net::TlsServerFiles tls;  // no certificate: plain TCP; else nothing but TLS
  core::Milliseconds handshake_timeout{10'000};
  LineRecorder* recorder = nullptr;  // outlives the server
};

/// Called on the server's thread.
using MakeConversation = std::function<std::unique_ptr<Conversation>(const std::string& peer)>;

class Listeners {
 public:
  static std::unique_ptr<Listeners> create();
  virtual ~Listeners() = default;  // stops

  /// Before start().
  virtual void add(ListenerOptions options, MakeConversation make) = 0;
  /// Opens every listener, or none: the Error names the one that could not be opened. Reads the
  /// files of their certificates.
  virtual core::Status start() = 0;
  /// Closes listeners and connections; an answer that is being committed is not sent any more.
  /// Returns when the thread is gone. Idempotent; start() may follow.
  virtual void stop() = 0;
  /// The port of a listener on TCP that runs.
  virtual std::uint16_t port(const std::string& name) const = 0;
  virtual std::size_t connections() const = 0;
  /// Grows while the thread lives; nothing while stopped.
  virtual std::optional<std::uint64_t> turns() const = 0;
};

}  // namespace gateway::adapters::frame
