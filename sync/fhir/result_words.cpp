#include "sync/fhir/result_words.h"

#include "core/text.h"

namespace gateway::sync::fhir {

using core::Json;

std::string words_of(const Json& coded) {
  if (!coded["text"].text().empty()) return std::string(coded["text"].text());
  for (const char* member : {"display", "code"}) {
    for (const Json& coding : coded["coding"].items()) {
      if (!coding[member].text().empty()) return std::string(coding[member].text());
    }
  }
  return {};
}

std::string value_of(const Json& result) {
  const Json& quantity = result["valueQuantity"];
  if (quantity.is_object()) {
    const std::string_view unit = quantity["unit"].text();
    return core::cat(quantity["comparator"].text(), quantity["value"].number_text(),
                     unit.empty() ? "" : " ", unit);
  }
  if (!result["valueString"].text().empty()) return std::string(result["valueString"].text());
  return words_of(result["valueCodeableConcept"]);
}

}  // namespace gateway::sync::fhir
