// What comes in on a POCT1-A connection, to the drafts that become FHIR, by the profile that the
// first byte chooses.
#include "adapters/poct1a/document_framer.h"
#include "adapters/poct1a/message_reader.h"
#include "tests/fuzz/framing.h"
#include "tests/fuzz/profiles.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gateway;
  using namespace gateway::adapters;
  static const auto devices = [] {
    std::vector<poct1a::Poct1aDevice> made;
    for (auto& profile : fuzz::shipped_profiles("poct1a")) {
      poct1a::Poct1aDevice device;
      device.options.profile.name = "meter";
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
  constexpr std::size_t kDocumentMax = 1U << 12;
  const auto whole = poct1a::DocumentFramer::create(kDocumentMax);
  const auto events = fuzz::events_of(*whole, bytes, 0);
  const auto split = poct1a::DocumentFramer::create(kDocumentMax);
  fuzz::must_equal(events, fuzz::events_of(*split, bytes, static_cast<std::uint32_t>(size) | 1U));
  core::Json hello = core::Json::object();
  for (const auto& event : events) {
    const auto document = poct1a::Document::parse(event.bytes, "");
    if (!document.ok()) continue;
    if (document->type() == "HEL.R01") hello = poct1a::identity_of(*document);
    for (const auto& read :
         poct1a::read_document(*document, event.bytes, hello, device, "192.0.2.1", "")) {
      for (const sync::Draft& draft : read.incoming->drafts) {
        if (!core::Json::parse(draft.body.dump()).ok()) std::abort();
      }
      // A kept message is read again as it was the first time.
      const auto again = poct1a::decoder_of(device).decode(read.incoming->bytes);
      if (again->drafts.size() != read.incoming->drafts.size()) std::abort();
    }
  }
  return 0;
}
