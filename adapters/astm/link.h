// The E1381 link layer (CLSI LIS01-A2), both directions, on one connection: bytes and time in,
// events out. On TCP and serial lines alike the device is the instrument and we are the computer:
// in a contention it wins.
//
// Receiving: a frame counts when its number is the next one and its check characters are right. The
// same frame again is acknowledged and not taken twice; anything else is refused. A control
// character inside a frame is damage, never a command; so is an ENQ where a frame was expected, the
// first time. Thirty seconds of silence end a transmission, five a frame.
//
// Sending: ENQ, one frame per record (a long one in several), EOT. Anything but ACK is answered by
// the same frame again, six times; fifteen seconds without an answer end the attempt; a busy device
// is asked again after ten seconds.
//
// Tolerated: a missing LF or CR behind a frame, a message without ENQ before its first frame or EOT
// behind its last, lower-case check characters, any number on a transmission's first frame.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "adapters/frame/framer.h"
#include "adapters/profiles/profile.h"

namespace gateway::adapters::astm {

inline constexpr char kStx = 0x02;
inline constexpr char kEtx = 0x03;
inline constexpr char kEot = 0x04;
inline constexpr char kEnq = 0x05;
inline constexpr char kAck = 0x06;
inline constexpr char kNak = 0x15;
inline constexpr char kEtb = 0x17;

struct LinkOptions {
  profiles::Checksum checksum = profiles::Checksum::standard;
  std::size_t frame_bytes_max = 240;  // text of a frame we send
};

/// Its events: `reply` (send it), `opened` (the device asks to send: answer kAck or kNak), `part`
/// (a frame's text, ended by CR where a record ends there: answer kAck once it is durable),
/// `closed` (the transmission is over, whole or not). When the answer is not kAck, call refuse().
class Link : public frame::Framer {
 public:
  static std::unique_ptr<Link> create(LinkOptions options);
  /// The last event was not accepted: frames are refused until the device begins anew.
  virtual void refuse() = 0;
  /// A message to send when the line is free, behind those that wait; records ended by CR. False:
  /// 32 wait already.
  virtual bool offer(std::string message) = 0;
  /// Messages that were sent whole, and those given up.
  virtual std::size_t sent() const = 0;
  virtual std::size_t given_up() const = 0;
};

/// The two check characters of a frame: `body` is frame number and text, `end` ETB or ETX.
std::string checksum_text(std::string_view body, char end, profiles::Checksum variant);
/// Records ended by CR as frames, the first with number 1.
std::vector<std::string> make_frames(std::string_view message, const LinkOptions& options);

}  // namespace gateway::adapters::astm
