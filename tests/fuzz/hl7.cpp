// A frame's bytes to the drafts that become FHIR, and the answer; by no profile and by each.
#include "adapters/hl7/message_reader.h"
#include "tests/fuzz/profiles.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gateway;
  static const adapters::hl7::DeviceProfile device = [] {
    adapters::hl7::DeviceProfile made;
    made.name = "analyzer";
    made.time_zone = "Europe/Madrid";
    made.patient_id_issuer = made.specimen_id_issuer = "urn:oid:2.25.1";
    made.autoverified = {"2345-7"};
    return made;
  }();
  static const auto profiles = fuzz::shipped_profiles("hl7");
  std::string frame(reinterpret_cast<const char*>(data), size);
  for (const std::string& bytes : adapters::hl7::cut_frame(std::move(frame))) {
    for (std::size_t i = 0; i <= profiles.size(); ++i) {
      const auto read = adapters::hl7::read_message(
          bytes, device, "192.0.2.1", core::system_clock(), i == 0 ? nullptr : &profiles[i - 1]);
      if (read.incoming == nullptr) std::abort();
      if (read.query &&
          adapters::hl7::answer_work_query(*read.message, {}, core::system_clock()).empty())
        std::abort();
      for (const sync::Draft& draft : read.incoming->drafts) {
        if (!core::Json::parse(draft.body.dump()).ok()) std::abort();
      }
    }
  }
  return 0;
}
