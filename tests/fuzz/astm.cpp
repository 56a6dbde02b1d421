// A message of records to the drafts that become FHIR, by the profile that the first byte chooses.
#include "adapters/astm/message_reader.h"
#include "tests/fuzz/profiles.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gateway;
  static const auto devices = [] {
    std::vector<adapters::astm::AstmDevice> made;
    for (auto& profile : fuzz::shipped_profiles("astm")) {
      adapters::astm::AstmDevice device;
      device.options.profile.name = "analyzer";
      device.options.profile.patient_id_issuer = "urn:oid:2.25.1";
      device.options.profile.specimen_id_issuer = "urn:oid:2.25.2";
      device.profile = std::move(profile);
      made.push_back(std::move(device));
    }
    return made;
  }();
  if (size == 0) return 0;
  const auto& device = devices[data[0] % devices.size()];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (adapters::astm::whole_messages(bytes) > bytes.size()) std::abort();
  for (std::string& message : adapters::astm::split_messages(bytes)) {
    const auto read = adapters::astm::read_message(std::move(message), device, "192.0.2.1");
    if (read.incoming == nullptr) std::abort();
    for (const sync::Draft& draft : read.incoming->drafts) {
      if (!core::Json::parse(draft.body.dump()).ok()) std::abort();
    }
  }
  return 0;
}
