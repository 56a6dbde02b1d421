// Connections the gateway opens itself: serial lines, and devices that wait to be called. All on
// one thread of their own. What ends, or cannot be opened, is tried again every few seconds;
// state() says why.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "adapters/frame/listeners.h"
#include "core/net/tls_context.h"

namespace gateway::adapters::frame {

struct LineOptions {
  std::string name = {};         // the device's
  std::string serial_port = {};  // "/dev/ttyUSB0"; else:
  std::string host = {};         // name or address
  std::uint16_t port = 0;
  std::optional<core::net::TlsIdentity> tls =
      {};  // nothing: plain; its files are read at each call
  unsigned baud = 9600;
  std::string format = "8N1";        // data bits, parity (N, E, O), stop bits
  LineRecorder* recorder = nullptr;  // outlives the line
};

class DialledLines {
 public:
  static std::unique_ptr<DialledLines> create();
  virtual ~DialledLines() = default;  // stops

  /// Before start().
  virtual void add(LineOptions options, MakeConversation make) = 0;
  virtual void start() = 0;
  /// Returns when the thread is gone. Idempotent; start() may follow.
  virtual void stop() = 0;
  /// Empty: connected, or not started; else what keeps it from being.
  virtual std::string problem(const std::string& name) const = 0;
  virtual std::size_t connections() const = 0;
  /// Grows while the thread lives; nothing while stopped, or without lines.
  virtual std::optional<std::uint64_t> turns() const = 0;
};

}  // namespace gateway::adapters::frame
