#include "adapters/profiles/place.h"

#include <algorithm>
#include <charconv>

#include "core/text.h"

namespace gateway::adapters::profiles {

using core::cat;

namespace {

bool is_record_name(std::string_view name) {
  return !name.empty() && name[0] >= 'A' && name[0] <= 'Z' &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); });
}

/// NAME-FIELD or NAME-FIELD.COMPONENT, with a name of so many characters.
core::Result<Place> parse_numbered(std::string_view text, std::size_t name_size,
                                   std::string_view example) {
  const core::Error wrong(core::Code::invalid, cat("\"", text, "\" is no place; write one like ",
                                                   example, " or ", example, ".1"));
  Place place;
  if (text.size() <= name_size || text[name_size] != '-') return wrong;
  place.record = text.substr(0, name_size);
  if (!is_record_name(place.record)) return wrong;
  text.remove_prefix(name_size + 1);
  place.field = take_number(text);
  if (place.field == 0) return wrong;
  if (text.empty()) return place;
  if (text[0] != '.') return wrong;
  text.remove_prefix(1);
  place.component = take_number(text);
  if (place.component == 0 || !text.empty()) return wrong;
  return place;
}

}  // namespace

std::size_t take_number(std::string_view& text) {
  std::size_t number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc()) return 0;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

core::Result<Place> parse_record_place(std::string_view text) {
  return parse_numbered(text, 1, "O-3");
}

core::Result<Place> parse_segment_place(std::string_view text) {
  return parse_numbered(text, 3, "OBR-3");
}

core::Result<Place> parse_element_place(std::string_view text) {
  const auto dot = text.find('.');
  const auto is_named = [](std::string_view part, auto is_sign) {
    return !part.empty() && std::all_of(part.begin(), part.end(), is_sign);
  };
  const bool is_element =
      dot != std::string_view::npos &&
      is_named(text.substr(0, dot), [](char c) { return c >= 'A' && c <= 'Z'; }) &&
      is_named(text.substr(dot + 1),
               [](char c) { return (c >= 'a' && c <= 'z') || c == '_' || c == '-'; });
  if (!is_element)
    return core::Error(core::Code::invalid,
                       cat("\"", text, "\" is no place; write one like PT.patient_id"));
  Place place;
  place.element = text;
  return place;
}

core::Result<FieldTest> parse_test(std::string_view text, ParsePlace parse) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos)
    return core::Error(
        core::Code::invalid,
        cat("\"", text, "\" is no test; write one like O-12=Q, MSH-11=Q or SVC.role_cd=LQC"));
  FieldTest test;
  GW_TRY(test.place, parse(core::trim(text.substr(0, equals))));
  test.pattern = core::trim(text.substr(equals + 1));
  return test;
}

core::Result<FieldRule> parse_rule(std::string_view text, ParsePlace parse) {
  constexpr std::string_view kWhen = " when ";
  const auto when = text.find(kWhen);
  FieldRule rule;
  GW_TRY(rule.place, parse(core::trim(text.substr(0, when))));
  if (when == std::string_view::npos) return rule;
  GW_TRY(FieldTest test, parse_test(text.substr(when + kWhen.size()), parse));
  rule.when.push_back(std::move(test));
  return rule;
}

bool matches_pattern(std::string_view text, std::string_view pattern) {
  constexpr std::string_view kAny = "...";
  if (!pattern.ends_with(kAny)) return text == pattern;
  return text.starts_with(pattern.substr(0, pattern.size() - kAny.size()));
}

bool matches_any(std::string_view text, const std::vector<std::string>& patterns) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& one) { return matches_pattern(text, one); });
}

bool holds(const FieldTest& test, const ValueAt& value_at) {
  return matches_pattern(value_at(test.place), test.pattern);
}

std::string value_by(const std::vector<FieldRule>& rules, const ValueAt& value_at) {
  for (const FieldRule& rule : rules) {
    const bool applies = std::all_of(rule.when.begin(), rule.when.end(),
                                     [&](const auto& test) { return holds(test, value_at); });
    if (!applies) continue;
    if (std::string value = value_at(rule.place); !value.empty()) return value;
  }
  return {};
}

}  // namespace gateway::adapters::profiles
