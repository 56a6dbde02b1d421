#include "adapters/dicom/dicom_options.h"

#include <algorithm>

#include "core/text.h"

namespace gateway::adapters::dicom {

using core::ConfigKey;
using core::KeyType;

std::vector<ConfigKey> dicom_config_keys() {
  return {
      {.path = "dicom.bind",
       .meaning = "address on which modalities reach the gateway",
       .default_text = "\"0.0.0.0\""},
      {.path = "dicom.port",
       .type = KeyType::integer,
       .meaning = "TCP port for modalities",
       .default_text = "11112",
       .minimum = 1,
       .maximum = 65535},
      {.path = "dicom.ae_title",
       .meaning = "AE title modalities must call, 1 to 16 characters",
       .default_text = "\"CLINICGW\""},
      {.path = "dicom.max_associations",
       .type = KeyType::integer,
       .meaning = "associations served at the same time",
       .default_text = "16",
       .minimum = 1,
       .maximum = 64},
      {.path = "dicom.idle_timeout_s",
       .type = KeyType::integer,
       .meaning = "seconds after which an association without any message is closed",
       .default_text = "60",
       .minimum = 5,
       .maximum = 86'400},
      {.path = "dicom.commitment",
       .meaning =
           "when a storage commitment is granted: once the PACS was read back and has the same "
           "bytes (second_copy), or once this gateway's own copy was read (stored)",
       .default_text = "\"second_copy\"",
       .choices = {"second_copy", "stored"}},
      {.path = "dicom.peer.*.ae_title",
       .meaning = "AE title of a modality that is called back, for storage commitment",
       .required = true},
      {.path = "dicom.peer.*.host",
       .meaning = "its address or name; none: the one its request came from"},
      {.path = "dicom.peer.*.port",
       .type = KeyType::integer,
       .meaning = "the TCP port it listens on",
       .default_text = "104",
       .minimum = 1,
       .maximum = 65535},
      {.path = "dicom.patient_id_issuer",
       .meaning = "FHIR system of patient ids that arrive by DICOM without an issuer"},
  };
}

namespace {

// PS3.5 6.2, AE: printable characters of the default repertoire except backslash.
bool is_ae_character(char c) { return c >= 0x20 && c < 0x7f && c != '\\'; }

core::Result<std::string> ae_title(const core::Config& config, const std::string& key) {
  const std::string given = config.text(key);
  std::string title(core::trim(given));
  if (!title.empty() && title.size() <= 16 &&
      std::all_of(title.begin(), title.end(), is_ae_character))
    return title;
  return core::Error(core::Code::invalid,
                     core::cat(config.where(key), ": ", key,
                               ": an AE title has 1 to 16 ASCII characters and no backslash"));
}

}  // namespace

core::Result<DicomOptions> dicom_options(const core::Config& config) {
  DicomOptions options;
  options.bind = config.text("dicom.bind");
  options.port = static_cast<std::uint16_t>(config.integer("dicom.port"));
  options.associations_max = static_cast<std::size_t>(config.integer("dicom.max_associations"));
  options.idle_timeout = core::Milliseconds(config.integer("dicom.idle_timeout_s") * 1000);
  GW_TRY(options.ae_title, ae_title(config, "dicom.ae_title"));
  for (const std::string& name : config.names("dicom.peer")) {
    const auto key = [&](std::string_view last) {
      return core::cat("dicom.peer.", name, ".", last);
    };
    DicomPeer peer;
    GW_TRY(peer.ae_title, ae_title(config, key("ae_title")));
    peer.host = config.text(key("host"));
    peer.port = static_cast<std::uint16_t>(config.integer(key("port")));
    options.peers.push_back(std::move(peer));
  }
  return options;
}

}  // namespace gateway::adapters::dicom
