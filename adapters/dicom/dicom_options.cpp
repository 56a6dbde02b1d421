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
      {.path = "dicom.patient_id_issuer",
       .meaning = "FHIR system of patient ids that arrive by DICOM without an issuer"},
  };
}

namespace {

// PS3.5 6.2, AE: printable characters of the default repertoire except backslash.
bool is_ae_character(char c) { return c >= 0x20 && c < 0x7f && c != '\\'; }

}  // namespace

core::Result<DicomOptions> dicom_options(const core::Config& config) {
  DicomOptions options;
  options.bind = config.text("dicom.bind");
  options.port = static_cast<std::uint16_t>(config.integer("dicom.port"));
  options.ae_title = std::string(core::trim(config.text("dicom.ae_title")));
  options.associations_max = static_cast<std::size_t>(config.integer("dicom.max_associations"));
  options.idle_timeout = core::Milliseconds(config.integer("dicom.idle_timeout_s") * 1000);
  const std::string& title = options.ae_title;
  if (title.empty() || title.size() > 16 ||
      !std::all_of(title.begin(), title.end(), is_ae_character)) {
    return core::Error(core::Code::invalid,
                       core::cat(config.where("dicom.ae_title"),
                                 ": dicom.ae_title: an AE title has 1 to 16 ASCII "
                                 "characters and no backslash"));
  }
  return options;
}

}  // namespace gateway::adapters::dicom
