#include "adapters/dicom/peer_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace gateway::adapters::dicom {
namespace {

constexpr std::uint8_t kAssociateRequest = 1;

int poll_timeout(std::chrono::steady_clock::time_point deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 86'400'000));
}

}  // namespace

PeerSocket::PeerSocket(int socket, std::string address, core::Milliseconds stall_timeout)
    : socket_(socket),
      address_(std::move(address)),
      stall_timeout_(stall_timeout),
      patience_(stall_timeout) {}

PeerSocket::~PeerSocket() { close(); }

PeerSocket::Begin PeerSocket::await_associate_request() {
  const Deadline deadline = std::chrono::steady_clock::now() + stall_timeout_;
  kept_.assign(kPduHeadBytes, std::byte{});
  for (std::size_t filled = 0; filled < kept_.size();) {
    const ssize_t received = receive(kept_.data() + filled, kept_.size() - filled, deadline);
    if (received <= 0) return Begin::gone;
    filled += static_cast<std::size_t>(received);
    if (filled != kPduHeadBytes) continue;
    const PduHead head =
        parse_pdu_head(std::span<const std::byte, kPduHeadBytes>(kept_.data(), kPduHeadBytes));
    if (head.type != kAssociateRequest || head.length > kAssociateBytesMax) return Begin::not_dicom;
    kept_.resize(kPduHeadBytes + head.length);
  }
  return Begin::associate_request;
}

ssize_t PeerSocket::read(void* buffer, std::size_t size) {
  if (kept_offset_ < kept_.size()) return deliver(buffer, read_kept(buffer, size));
  const Deadline deadline =
      guard_.at_boundary() ? std::chrono::steady_clock::now() + patience_ : pdu_deadline_;
  return deliver(buffer, receive(buffer, size, deadline));
}

ssize_t PeerSocket::read_kept(void* buffer, std::size_t size) {
  const std::size_t taken = std::min(size, kept_.size() - kept_offset_);
  std::memcpy(buffer, kept_.data() + kept_offset_, taken);
  kept_offset_ += taken;
  if (kept_offset_ == kept_.size()) {
    kept_.clear();
    kept_offset_ = 0;
  }
  return static_cast<ssize_t>(taken);
}

ssize_t PeerSocket::deliver(void* buffer, ssize_t received) {
  if (received <= 0) return received;
  const auto size = static_cast<std::size_t>(received);
  const bool began = guard_.at_boundary();
  const bool fits = guard_.pass({static_cast<const std::byte*>(buffer), size});
  if (began) pdu_deadline_ = std::chrono::steady_clock::now() + stall_timeout_;
  if (!fits || size > allowance_) {
    errno = EMSGSIZE;
    return -1;
  }
  allowance_ -= size;
  return received;
}

bool PeerSocket::secure(std::unique_ptr<core::net::TlsLine> line, std::string& why) {
  tls_ = std::move(line);
  if (!tls_) {
    why = "no memory for TLS";
    return false;
  }
  const Deadline deadline = std::chrono::steady_clock::now() + stall_timeout_;
  while (true) {
    const auto step = tls_->shake_hands();
    if (step.what == core::net::TlsLine::What::moved) return true;
    if (wait_after(step.what, deadline)) continue;
    why = errno == ETIMEDOUT ? "it did not finish in time" : tls_->reason();
    return false;
  }
}

// False: it is over, with errno.
bool PeerSocket::wait_after(core::net::TlsLine::What what, Deadline deadline) {
  using What = core::net::TlsLine::What;
  if (what != What::wants_to_read && what != What::wants_to_write) {
    errno = EIO;
    return false;
  }
  if (wait_for(what == What::wants_to_read ? POLLIN : POLLOUT, deadline)) return true;
  errno = ETIMEDOUT;
  return false;
}

ssize_t PeerSocket::receive(void* buffer, std::size_t size, Deadline deadline) {
  return tls_ ? receive_encrypted(buffer, size, deadline) : receive_plain(buffer, size, deadline);
}

ssize_t PeerSocket::receive_encrypted(void* buffer, std::size_t size, Deadline deadline) {
  while (true) {
    const auto step = tls_->read({static_cast<std::byte*>(buffer), size});
    if (step.what == core::net::TlsLine::What::moved) return static_cast<ssize_t>(step.bytes);
    if (step.what == core::net::TlsLine::What::closed) return 0;
    if (!wait_after(step.what, deadline)) return -1;
  }
}

// When the buffer takes exactly the rest of a PDU, the head of the next one comes along: DCMTK asks
// for heads and bodies apart, and half of the system calls would be for six bytes each.
ssize_t PeerSocket::receive_plain(void* buffer, std::size_t size, Deadline deadline) {
  const bool takes_body_end = size == guard_.body_left() && kept_.empty();
  iovec parts[] = {{buffer, size}, {next_head_.data(), next_head_.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = takes_body_end ? 2 : 1;
  while (true) {
    const ssize_t received = ::recvmsg(socket_, &message, MSG_DONTWAIT);
    if (received >= 0) {
      const auto count = static_cast<std::size_t>(received);
      if (count <= size) return received;
      kept_.assign(next_head_.begin(),
                   next_head_.begin() + static_cast<std::ptrdiff_t>(count - size));
      return static_cast<ssize_t>(size);
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return -1;
    if (!wait_for(POLLIN, deadline)) {
      errno = ETIMEDOUT;
      return -1;
    }
  }
}

bool PeerSocket::wait_for(short events, Deadline deadline) {
  pollfd wait{socket_, events, 0};
  while (true) {
    const int ready = ::poll(&wait, 1, poll_timeout(deadline));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

ssize_t PeerSocket::write(const void* buffer, std::size_t size) {
  const Deadline deadline = std::chrono::steady_clock::now() + stall_timeout_;
  return tls_ ? send_encrypted(buffer, size, deadline) : send_plain(buffer, size, deadline);
}

ssize_t PeerSocket::send_encrypted(const void* buffer, std::size_t size, Deadline deadline) {
  std::span<const std::byte> left(static_cast<const std::byte*>(buffer), size);
  while (!left.empty()) {
    const auto step = tls_->write(left);
    if (step.what == core::net::TlsLine::What::moved) {
      left = left.subspan(step.bytes);
    } else if (!wait_after(step.what, deadline)) {
      return -1;
    }
  }
  return static_cast<ssize_t>(size);
}

ssize_t PeerSocket::send_plain(const void* buffer, std::size_t size, Deadline deadline) {
  const char* next = static_cast<const char*>(buffer);
  // DCMTK writes a PDU's head and body apart; the peer is woken once, with both.
  (void)sent_.pass({static_cast<const std::byte*>(buffer), size});
  const int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (sent_.at_boundary() ? 0 : MSG_MORE);
  for (std::size_t left = size; left > 0;) {
    const ssize_t sent = ::send(socket_, next, left, flags);
    if (sent >= 0) {
      next += sent;
      left -= static_cast<std::size_t>(sent);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return -1;
    if (!wait_for(POLLOUT, deadline)) {
      errno = ETIMEDOUT;
      return -1;
    }
  }
  return static_cast<ssize_t>(size);
}

bool PeerSocket::is_readable(core::Milliseconds wait) {
  if (kept_offset_ < kept_.size() || !guard_.at_boundary()) return true;
  if (tls_ && tls_->has_pending()) return true;
  return wait_for(POLLIN, std::chrono::steady_clock::now() + wait);
}

void PeerSocket::shut() {
  const std::lock_guard lock(mutex_);
  if (socket_ >= 0) ::shutdown(socket_, SHUT_RDWR);
  if (also_shut_) also_shut_();
}

void PeerSocket::on_shut(std::function<void()> also) {
  const std::lock_guard lock(mutex_);
  also_shut_ = std::move(also);
}

void PeerSocket::close() {
  const std::lock_guard lock(mutex_);
  if (socket_ >= 0 && tls_) tls_->close();
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

}  // namespace gateway::adapters::dicom
