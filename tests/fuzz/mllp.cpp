// What comes in on an MLLP connection, up to whole messages.
#include "adapters/hl7/mllp_framer.h"
#include "tests/fuzz/framing.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gateway;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  constexpr std::size_t kMessageMax = 1U << 12;
  auto whole = adapters::hl7::make_mllp_framer(kMessageMax);
  const auto events = fuzz::events_of(*whole, bytes, 0);
  auto split = adapters::hl7::make_mllp_framer(kMessageMax);
  fuzz::must_equal(events, fuzz::events_of(*split, bytes, static_cast<std::uint32_t>(size) | 1U));
  return 0;
}
