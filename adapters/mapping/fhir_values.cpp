#include "adapters/mapping/fhir_values.h"

#include <algorithm>

#include "core/civil_time.h"
#include "core/text.h"

namespace gateway::adapters::mapping {
namespace {

using core::cat;
using core::Json;

/// YYYY[MM[DD[HH[MM[SS[.S...]]]]]][+/-ZZZZ] (HL7 v2.8 2A.3.22) in its parts.
struct SentTime {
  std::string date;      // 4, 6 or 8 digits
  std::string time;      // 0, 2, 4 or 6 digits
  std::string fraction;  // digits
  std::string zone;      // "+02:00", or empty
};

bool all_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool in_range(std::string_view two_digits, int from, int to) {
  const int value = (two_digits[0] - '0') * 10 + two_digits[1] - '0';
  return value >= from && value <= to;
}

/// As HL7 writes it, what some senders write with the signs of ISO 8601
/// (2024-01-02T10:30:00+01:00).
std::string without_signs(std::string_view text) {
  std::string compact;
  const auto takes_digits = [&](std::size_t count) {
    if (text.size() < count || !all_digits(text.substr(0, count))) return false;
    compact += text.substr(0, count);
    text.remove_prefix(count);
    return true;
  };
  const bool is_dashed = text.size() >= 7 && text[4] == '-' && (text.size() == 7 || text[7] == '-');
  if (is_dashed && takes_digits(4)) {
    for (int part = 0; part < 2 && text.starts_with('-'); ++part) {
      text.remove_prefix(1);
      if (!takes_digits(2)) return {};
    }
  } else {
    takes_digits(8);
  }
  const bool is_day = compact.size() == 8;
  if (is_day && (text.starts_with('T') || text.starts_with(' '))) text.remove_prefix(1);
  // Before a day is told, a colon stands in a zone only.
  bool may_be_signed = is_day;
  for (const char c : text) {
    may_be_signed = may_be_signed || c == '+' || c == '-';
    if (c != ':' || !may_be_signed) compact += c;
  }
  return compact;
}

SentTime cut_time(std::string_view written) {
  SentTime sent;
  const std::string compact = without_signs(core::trim(written));
  std::string_view text = compact;
  const auto sign = text.find_first_of("+-");
  if (sign != std::string_view::npos) {
    std::string zone(text.substr(sign + 1));
    if (zone.size() == 2) zone += "00";
    if (zone.size() != 4 || !all_digits(zone) || !in_range(zone, 0, 14) ||
        !in_range(std::string_view(zone).substr(2), 0, 59))
      return {};
    sent.zone = cat(text[sign], zone.substr(0, 2), ":", zone.substr(2));
  } else if (text.ends_with('Z')) {
    sent.zone = "+00:00";
  }
  text = text.substr(0, std::min(sign, text.find('Z')));
  const auto dot = text.find('.');
  if (dot != std::string_view::npos) sent.fraction = text.substr(dot + 1);
  std::string_view digits = text.substr(0, dot);
  if (!all_digits(digits) || !all_digits(sent.fraction)) return {};
  // Seen: 20190929092149610, milliseconds without their dot.
  if (digits.size() > 14 && sent.fraction.empty()) {
    sent.fraction = digits.substr(14);
    digits = digits.substr(0, 14);
  }
  // "00000000" and "0" are how some devices say "never".
  if (digits.size() < 4 || digits.size() > 14 || digits.size() % 2 != 0 ||
      digits.substr(0, 4) == "0000")
    return {};
  sent.date = digits.substr(0, std::min<std::size_t>(8, digits.size()));
  if (digits.size() > 8) sent.time = digits.substr(8);
  return sent;
}

/// Date with dashes; empty when it is none.
std::string date_text(std::string_view date) {
  if (date.size() == 8) return core::to_fhir_date(date);
  if (date.size() == 6 && !in_range(date.substr(4), 1, 12)) return {};
  return date.size() == 6 ? cat(date.substr(0, 4), "-", date.substr(4)) : std::string(date);
}

bool is_time_of_day(std::string_view time) {
  return in_range(time, 0, 23) && (time.size() < 4 || in_range(time.substr(2), 0, 59)) &&
         (time.size() < 6 || in_range(time.substr(4), 0, 59));
}

void add_extension(Json& beside, std::string_view url, std::string_view value) {
  Json extensions = beside.is_null() ? Json::array() : beside["extension"];
  extensions.add(Json::object({{"url", url}, {"valueString", value}}));
  beside.set("extension", std::move(extensions));
}

}  // namespace

void set_if(Json& object, std::string_view member, Json value) {
  if (value.is_null() || (value.is_string() && value.text().empty())) return;
  if ((value.is_array() || value.is_object()) && value.size() == 0) return;
  object.set(member, std::move(value));
}

Json decimal(std::string_view text) {
  text = core::trim(text);
  std::string number;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    if (text[0] == '-') number = "-";
    text.remove_prefix(1);
  }
  const auto dot = text.find('.');
  std::string_view whole = text.substr(0, dot);
  const std::string_view fraction = dot == std::string_view::npos ? "" : text.substr(dot + 1);
  const auto digits = [](std::string_view part) {
    return std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
  };
  if (whole.size() + fraction.size() == 0 || !digits(whole) || !digits(fraction)) return {};
  while (whole.size() > 1 && whole[0] == '0') whole.remove_prefix(1);
  number += whole.empty() ? "0" : std::string(whole);
  if (!fraction.empty()) number += cat('.', fraction);
  return Json(Json::Number{number});
}

FhirTime fhir_time(std::string_view text, std::string_view zone) {
  const SentTime sent = cut_time(text);
  if (sent.date.empty()) return {};
  FhirTime made;
  made.text = date_text(sent.date);
  if (made.text.empty() || sent.time.empty()) return made;
  if (!is_time_of_day(sent.time)) return {};
  std::string time = sent.time;
  time.resize(6, '0');
  if (sent.time.size() < 6) add_extension(made.beside, kSentAs, text);
  if (sent.zone.empty()) {
    // Date and time with the offset the zone has on that day.
    made.text = core::to_fhir_date_time(sent.date, time, zone);
    add_extension(made.beside, kAssumedZone, zone);
  } else {
    made.text = cat(made.text, "T", time.substr(0, 2), ":", time.substr(2, 2), ":", time.substr(4),
                    sent.zone);
  }
  if (!sent.fraction.empty() && made.text.size() > 19)
    made.text.insert(19, cat(".", sent.fraction.substr(0, 9)));
  return made;
}

void set_time(Json& object, std::string_view member, const FhirTime& time) {
  if (time.text.empty()) return;
  object.set(member, time.text);
  if (!time.beside.is_null()) object.set(cat("_", member), time.beside);
}

std::string utc_instant(std::string_view sent, std::string_view zone) {
  std::string text = fhir_time(sent, zone).text;
  if (text.size() == 10) text += "T00:00:00+00:00";
  // Only whole seconds: what orders messages is finer nowhere.
  if (const auto dot = text.find('.'); dot != std::string::npos)
    text.erase(dot, text.find_first_not_of("0123456789", dot + 1) - dot);
  const auto at = core::parse_instant(text);
  return at ? core::to_instant(*at) : std::string();
}

core::Wall seed_time(std::string_view sent, std::string_view zone) {
  return core::parse_instant(utc_instant(sent, zone)).value_or(core::Wall());
}

core::Wall written_at(std::string_view sent, std::string_view zone) {
  constexpr std::size_t kToTheMinute = 12;
  return sent.size() < kToTheMinute ? core::Wall() : seed_time(sent, zone);
}

Json quantity(std::string_view number) {
  const std::string sent(core::trim(number));
  Json value = decimal(sent);
  if (value.is_null()) return {};
  Json made = Json::object();
  if (value.number_text() != sent)
    made.set("extension", Json::array({Json::object({{"url", kSentAs}, {"valueString", sent}})}));
  made.set("value", std::move(value));
  return made;
}

}  // namespace gateway::adapters::mapping
