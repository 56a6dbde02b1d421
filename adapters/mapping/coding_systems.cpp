#include "adapters/mapping/coding_systems.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "core/text.h"

namespace gateway::adapters::mapping {
namespace {

struct Named {
  std::string_view name;  // upper case
  std::string_view uri;
};
constexpr std::array<Named, 33> kSystems{{
    {"LN", "http://loinc.org"},
    {"LNC", "http://loinc.org"},
    {"LOINC", "http://loinc.org"},
    {"SCT", "http://snomed.info/sct"},
    {"SNM", "http://snomed.info/sct"},
    {"SNOMED", "http://snomed.info/sct"},
    {"SNOMED-CT", "http://snomed.info/sct"},
    {"SNM3", "http://snomed.info/sct"},
    {"UCUM", "http://unitsofmeasure.org"},
    {"MDC", "urn:iso:std:iso:11073:10101"},
    {"I9", "http://hl7.org/fhir/sid/icd-9-cm"},
    {"I9C", "http://hl7.org/fhir/sid/icd-9-cm"},
    {"I9CDX", "http://hl7.org/fhir/sid/icd-9-cm"},
    {"I10", "http://hl7.org/fhir/sid/icd-10"},
    {"ICD10", "http://hl7.org/fhir/sid/icd-10"},
    {"I10C", "http://hl7.org/fhir/sid/icd-10-cm"},
    {"ICD10CM", "http://hl7.org/fhir/sid/icd-10-cm"},
    {"C4", "http://www.ama-assn.org/go/cpt"},
    {"CPT", "http://www.ama-assn.org/go/cpt"},
    {"CPTM", "http://www.ama-assn.org/go/cpt"},
    {"CVX", "http://hl7.org/fhir/sid/cvx"},
    {"MVX", "http://hl7.org/fhir/sid/mvx"},
    {"NDC", "http://hl7.org/fhir/sid/ndc"},
    {"RXNORM", "http://www.nlm.nih.gov/research/umls/rxnorm"},
    {"DCM", "http://dicom.nema.org/resources/ontology/DCM"},
    {"CDCREC", "urn:oid:2.16.840.1.113883.6.238"},
    {"NIP001", "http://terminology.hl7.org/CodeSystem/v2-NIP001"},
    {"CDCPHINVS", "urn:oid:2.16.840.1.114222.4.5.274"},
    {"NCIT", "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl"},
    {"ISO3166_1", "urn:iso:std:iso:3166"},
    {"ATC", "http://www.whocc.no/atc"},
    {"IETF3066", "urn:ietf:bcp:47"},
    {"POS", "https://www.cms.gov/Medicare/Coding/place-of-service-codes/Place_of_Service_Code_Set"},
}};

bool is_oid(std::string_view name) {
  return name.find('.') != std::string_view::npos && (name[0] >= '0' && name[0] <= '2') &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
}

/// "HL70078", "HL7 0078", "HL78", "0078": the number of a v2 table, four digits; empty: none.
std::string table_number(std::string_view upper) {
  if (!upper.starts_with("HL7")) return {};
  std::string digits(upper.substr(3));
  std::erase(digits, ' ');
  std::erase(digits, '-');
  const bool number =
      !digits.empty() && digits.size() <= 4 &&
      std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  return number ? std::string(4 - digits.size(), '0') + digits : std::string();
}

}  // namespace

std::string coding_system_uri(std::string_view name) {
  if (name.empty()) return {};
  if (name.starts_with("http://") || name.starts_with("https://") || name.starts_with("urn:"))
    return std::string(name);
  if (is_oid(name)) return core::cat("urn:oid:", name);
  std::string upper(name);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  if (const std::string table = table_number(upper); !table.empty())
    return core::cat("http://terminology.hl7.org/CodeSystem/v2-", table);
  const auto found = std::find_if(kSystems.begin(), kSystems.end(),
                                  [&](const Named& system) { return system.name == upper; });
  return found == kSystems.end() ? std::string() : std::string(found->uri);
}

std::string coding_system_name(std::string_view uri) {
  constexpr std::string_view kTable = "http://terminology.hl7.org/CodeSystem/v2-";
  constexpr std::string_view kOid = "urn:oid:";
  const auto found = std::find_if(kSystems.begin(), kSystems.end(),
                                  [&](const Named& system) { return system.uri == uri; });
  if (found != kSystems.end()) return std::string(found->name);
  if (uri.starts_with(kTable)) return core::cat("HL7", uri.substr(kTable.size()));
  return std::string(uri.starts_with(kOid) ? uri.substr(kOid.size()) : uri);
}

}  // namespace gateway::adapters::mapping
