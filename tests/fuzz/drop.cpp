// What lies in a drop folder, up to the drafts that become FHIR; and what was kept of it.
#include "adapters/filedrop/dropped.h"
#include "tests/fuzz/profiles.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gateway;
  static const auto devices = [] {
    std::vector<adapters::fields::FieldDevice> made;
    for (auto& profile : fuzz::shipped_profiles("folder")) {
      adapters::fields::FieldDevice device;
      device.options.profile.name = "spirometer";
      device.options.profile.patient_id_issuer = "urn:oid:2.25.1";
      device.profile = std::move(profile);
      made.push_back(std::move(device));
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
  return 0;
}
