#include "adapters/hl7/order_rules.h"

#include <algorithm>

#include "core/text.h"
#include "sync/pending_orders.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using core::Json;

/// As a FHIR search takes tokens (R4 3.1.1.4.10).
bool is_token(const std::string& word, std::string_view system, std::string_view value) {
  if (value.empty()) return false;
  return word == value || word == cat(system, '|', value) || word == cat(system, '|');
}

bool has_code(const Json& concept_, const std::string& word) {
  return std::ranges::any_of(concept_["coding"].items(), [&](const Json& coding) {
    return is_token(word, coding["system"].text(), coding["code"].text());
  });
}

bool is_performer(const Json& performer, const std::string& word) {
  const Json& identifier = performer["identifier"];
  return word == performer["reference"].text() ||
         is_token(word, identifier["system"].text(), identifier["value"].text());
}

/// Without words anything fits.
template <class Fits>
bool any_fits(const std::vector<std::string>& words, Fits fits) {
  return words.empty() || std::ranges::any_of(words, fits);
}

}  // namespace

bool OrderFilter::fits(const Json& order) const {
  const auto& kinds = order["category"].items();
  const auto& who = order["performer"].items();
  const auto is_of_kind = [&](const std::string& word) {
    return std::ranges::any_of(kinds, [&](const Json& kind) { return has_code(kind, word); });
  };
  const auto is_of_code = [&](const std::string& word) { return has_code(order["code"], word); };
  const auto is_whose = [&](const std::string& word) {
    return std::ranges::any_of(who, [&](const Json& one) { return is_performer(one, word); });
  };
  return any_fits(categories, is_of_kind) && any_fits(codes, is_of_code) &&
         any_fits(performers, is_whose);
}

std::string OrderFilter::text() const {
  std::string all;
  for (const auto* list : {&categories, &codes, &performers}) {
    for (const std::string& word : *list) all += cat(word, '\n');
    all += '\n';
  }
  return all;
}

std::string_view order_control(const Json& order, bool is_its, std::string_view taken) {
  const std::string_view status = order["status"].text();
  const bool has_it = taken == "NW" || taken == "XO";
  // What was done, the device has done or need not: to cancel it would be wrong.
  if (status == "completed" || status == "unknown") return {};
  if (is_its && sync::is_to_be_done(order)) return has_it ? "XO" : "NW";
  return has_it ? "CA" : "";
}

}  // namespace gateway::adapters::hl7
