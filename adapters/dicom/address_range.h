// Addresses of the clinic's network as a site writes them: one address or a range in CIDR form
// (RFC 4632, RFC 4291 2.3). Pure.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "core/result.h"

namespace gateway::adapters::dicom {

class AddressRange {
 public:
  /// "10.1.2.3", "10.1.0.0/16", "fd00::/8". Code::invalid for anything else.
  static core::Result<AddressRange> parse(std::string_view text);

  /// `address`: numeric, as the socket names a peer. IPv4 that arrives on an IPv6 socket is IPv4.
  bool contains(std::string_view address) const;

 private:
  // IPv4 as IPv4-mapped IPv6.
  std::array<std::uint8_t, 16> prefix_{};
  unsigned bits_ = 128;
};

}  // namespace gateway::adapters::dicom
