// One connected peer: bounded waiting, bounded PDUs, and a way to be shut from outside. It knows
// PDUs, not DCMTK.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "adapters/dicom/pdu_guard.h"
#include "core/clock.h"
#include "core/net/tls_line.h"

namespace gateway::adapters::dicom {

/// Used by its association's thread, except shut(), which any thread may call.
class PeerSocket {
 public:
  /// Takes the socket over. `stall_timeout` bounds each PDU and each write as a whole.
  PeerSocket(int socket, std::string address, core::Milliseconds stall_timeout);
  ~PeerSocket();
  PeerSocket(const PeerSocket&) = delete;
  PeerSocket& operator=(const PeerSocket&) = delete;

  int handle() const { return socket_; }
  const std::string& address() const { return address_; }
  core::Milliseconds stall_timeout() const { return stall_timeout_; }

  /// How long read() waits for a PDU to begin.
  void set_patience(core::Milliseconds patience) { patience_ = patience; }
  /// read() fails after this many more bytes: what a command may cost.
  void set_read_allowance(std::uint64_t bytes) { allowance_ = bytes; }

  /// Before anything else: TLS over `line` from here on. False: the handshake came to nothing;
  /// `why` says the reason.
  bool secure(std::unique_ptr<core::net::TlsLine> line, std::string& why);
  bool is_encrypted() const { return tls_ != nullptr; }
  /// Why TLS failed last, for a person; empty: it did not.
  std::string tls_problem() const { return tls_ ? tls_->reason() : std::string(); }

  enum class Begin { associate_request, not_dicom, gone };
  /// Reads the whole A-ASSOCIATE-RQ and keeps it for read(), so that parsing it never waits.
  Begin await_associate_request();

  /// At least one byte; 0 when the peer closed or the socket was shut; -1 with errno after a
  /// time-out (ETIMEDOUT) or a PDU or command beyond its limit (EMSGSIZE).
  ssize_t read(void* buffer, std::size_t size);
  /// All of it or -1.
  ssize_t write(const void* buffer, std::size_t size);
  /// True when read() has something to do at once, or will within `wait`.
  bool is_readable(core::Milliseconds wait);

  /// Ends every waiting and later call; thread-safe.
  void shut();
  /// What shut() does besides, under its lock; empty: nothing.
  void on_shut(std::function<void()> also);
  void close();

 private:
  using Deadline = std::chrono::steady_clock::time_point;
  ssize_t read_kept(void* buffer, std::size_t size);
  ssize_t receive(void* buffer, std::size_t size, Deadline deadline);
  ssize_t receive_plain(void* buffer, std::size_t size, Deadline deadline);
  ssize_t receive_encrypted(void* buffer, std::size_t size, Deadline deadline);
  ssize_t send_plain(const void* buffer, std::size_t size, Deadline deadline);
  ssize_t send_encrypted(const void* buffer, std::size_t size, Deadline deadline);
  bool wait_after(core::net::TlsLine::What what, Deadline deadline);
  bool wait_for(short events, Deadline deadline);
  ssize_t deliver(void* buffer, ssize_t received);

  std::mutex mutex_;  // guards closing against shut()
  int socket_;
  std::function<void()> also_shut_;
  std::unique_ptr<core::net::TlsLine> tls_;  // null: plain
  std::string address_;
  core::Milliseconds stall_timeout_;
  core::Milliseconds patience_;
  std::uint64_t allowance_ = UINT64_MAX;
  Deadline pdu_deadline_{};
  PduGuard guard_;
  PduGuard sent_;
  std::vector<std::byte> kept_;  // received, not yet read
  std::size_t kept_offset_ = 0;
  std::array<std::byte, kPduHeadBytes> next_head_{};
};

}  // namespace gateway::adapters::dicom
