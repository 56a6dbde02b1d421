#include "adapters/dicom/address_range.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

#include "core/text.h"

namespace gateway::adapters::dicom {
namespace {

using Octets = std::array<std::uint8_t, 16>;
constexpr unsigned kMappedBits = 96;

std::optional<Octets> octets_of(std::string_view address) {
  const std::string text(address.substr(0, address.find('%')));  // without the interface's name
  Octets octets{};
  if (::inet_pton(AF_INET6, text.c_str(), octets.data()) == 1) return octets;
  octets = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (::inet_pton(AF_INET, text.c_str(), octets.data() + 12) == 1) return octets;
  return std::nullopt;
}

}  // namespace

core::Result<AddressRange> AddressRange::parse(std::string_view text) {
  const auto wrong = [&] {
    return core::Error(core::Code::invalid,
                       core::cat("\"", text, "\" is no address; write 10.1.2.3 or 10.1.0.0/16"));
  };
  const auto slash = text.find('/');
  const std::string_view address = text.substr(0, slash);
  const auto octets = octets_of(address);
  if (!octets) return wrong();
  const unsigned most = address.find(':') == address.npos ? 32 : 128;
  unsigned bits = most;
  if (slash != text.npos) {
    const std::string_view number = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), bits);
    if (error != std::errc() || end != number.data() + number.size() || bits > most) return wrong();
  }
  AddressRange range;
  range.prefix_ = *octets;
  range.bits_ = most == 32 ? bits + kMappedBits : bits;
  return range;
}

bool AddressRange::contains(std::string_view address) const {
  const auto octets = octets_of(address);
  if (!octets) return false;
  const unsigned whole = bits_ / 8;
  if (!std::equal(prefix_.begin(), prefix_.begin() + whole, octets->begin())) return false;
  const unsigned rest = bits_ % 8;
  return rest == 0 || ((prefix_[whole] ^ (*octets)[whole]) >> (8 - rest)) == 0;
}

}  // namespace gateway::adapters::dicom
