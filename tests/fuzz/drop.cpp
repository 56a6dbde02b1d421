// What lies in a drop folder, or is handed over in the lines of a third-party adapter, up to the
// drafts that become FHIR; and what was kept of it.
#include "adapters/filedrop/dropped.h"
#include "adapters/hl7/message_reader.h"
#include "adapters/thirdparty/handed_over.h"
#include "adapters/thirdparty/line_framer.h"
#include "tests/fuzz/framing.h"
#include "tests/fuzz/profiles.h"

namespace gateway {
namespace {

constexpr std::size_t kHelloMax = 64;
constexpr std::size_t kLineMax = 1U << 12;

void hand_over(const std::string& bytes, const adapters::fields::FieldDevice& device) {
  using namespace adapters::thirdparty;
  const auto whole = make_line_framer(kHelloMax, kLineMax);
  const auto events = fuzz::events_of(*whole, bytes, 0);
  const auto split = make_line_framer(kHelloMax, kLineMax);
  fuzz::must_equal(events,
                   fuzz::events_of(*split, bytes, static_cast<std::uint32_t>(bytes.size()) | 1U));
  adapters::FileDecoders decoders;
  decoders.dropped = adapters::filedrop::read_dropped;
  decoders.hl7 = [](std::string message, const adapters::mapping::DeviceProfile& of) {
    return std::vector{
        adapters::hl7::read_message(std::move(message), of, "", core::system_clock()).incoming};
  };
  for (const auto& event : events) {
    Heard heard = read_line(event.bytes);
    if (!heard.request.ok() || heard.request->type == Request::Type::hello) continue;
    const auto read = messages_of(std::move(*heard.request), device, decoders);
    if (read.ok() && read->empty()) std::abort();
  }
}

}  // namespace
}  // namespace gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gateway;
  static const auto devices = [] {
    std::vector<adapters::fields::FieldDevice> made;
    for (const char* protocol : {"folder", "socket"}) {
      for (auto& profile : fuzz::shipped_profiles(protocol)) {
        adapters::fields::FieldDevice device;
        device.options.profile.name = "spirometer";
        device.options.profile.patient_id_issuer = "urn:oid:2.25.1";
        device.profile = std::move(profile);
        made.push_back(std::move(device));
      }
    }
    return made;
  }();
  static constexpr const char* kNames[] = {"7.xml", "7.csv", "7.pdf", "Roe_7_2026.xml"};
  if (size < 2) return 0;
  const auto& device = devices[data[0] % devices.size()];
  const std::string bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  for (const auto& incoming : adapters::filedrop::read_dropped(
           {{kNames[data[1] % std::size(kNames)], bytes, "2026-11-20T10:02:33Z"}}, device)) {
    const auto again = adapters::filedrop::read_kept(incoming->bytes, device);
    if (!again.ok() || (*again)->drafts.size() != incoming->drafts.size()) std::abort();
    static_cast<void>(adapters::filedrop::text_of_drop(incoming->bytes));
  }
  static_cast<void>(adapters::filedrop::read_kept(bytes, device));
  hand_over(bytes, device);
  return 0;
}
