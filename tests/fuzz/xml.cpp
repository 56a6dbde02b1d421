// XML as devices write it.
#include "adapters/fields/xml.h"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gateway;
  const auto parsed = adapters::fields::parse_xml({reinterpret_cast<const char*>(data), size});
  if (parsed.ok() && !core::Json::parse(parsed->dump()).ok()) std::abort();
  return 0;
}
