// The beginning of an attempt at a broker, in a thread of its own: the C library's name look-up
// cannot be cut short, and with a silent DNS it takes a minute. Internal to core/net.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>

#include "core/net/mqtt_client.h"

namespace gateway::core::net {

class MqttDial {
 public:
  struct Dialed {
    std::shared_ptr<TlsContext> tls;     // null for plain
    std::unique_ptr<MqttClient> client;  // goes first
  };

  /// `tls` is the dial's alone until is_done(). `done` is called in that thread, once. Whoever
  /// loses patience drops the dial; its thread ends when the look-up does and takes everything
  /// along. Code::unavailable: there is no thread.
  static Result<std::shared_ptr<MqttDial>> begin(MqttOptions options,
                                                 std::shared_ptr<TlsContext> tls,
                                                 std::function<void()> done);
  bool is_done() const { return done_; }
  /// Once, and only when it is done.
  Result<Dialed> take() { return std::move(*dialed_); }

 private:
  std::optional<Result<Dialed>> dialed_;  // the thread's until done_
  std::atomic<bool> done_{false};
};

}  // namespace gateway::core::net
