// What comes in on an ASTM line, up to frames' texts.
#include "adapters/astm/link.h"
#include "tests/fuzz/framing.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gateway;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto whole = adapters::astm::Link::create({});
  const auto events = fuzz::events_of(*whole, bytes, 0);
  auto split = adapters::astm::Link::create({});
  fuzz::must_equal(events, fuzz::events_of(*split, bytes, static_cast<std::uint32_t>(size) | 1U));
  return 0;
}
