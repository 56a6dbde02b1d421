#include "sync/patient_suggestions.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/text.h"
#include "sync/fhir/person_name.h"
#include "sync/fhir/resource_rules.h"
#include "sync/merged_patients.h"
#include "sync/name_likeness.h"
#include "sync/search_date.h"

namespace gateway::sync {
namespace {

using core::cat;
using core::Json;
using crypto::Connection;

// What is looked at, at most: a person waits for the answer.
constexpr std::size_t kNumbersMax = 10;
constexpr std::int64_t kCarriersMax = 20;
constexpr std::int64_t kBornMax = 200;
constexpr std::int64_t kNamesMax = 50'000;
constexpr std::size_t kAlikeMax = 20;
constexpr std::int64_t kNamesakesMax = 50;
constexpr std::size_t kCandidatesMax = 400;
constexpr std::size_t kIdentifiersShown = 3;
constexpr std::size_t kNumberSizeMin = 4;  // a shorter one of another issuer says nothing

// Less than this is a coincidence: a birth date alone, half a name.
constexpr int kScoreMin = 30;

struct Number {
  std::string system;
  std::string value;
};

/// What speaks for a Patient beside what the record itself says.
struct Evidence {
  bool is_order = false;
  bool is_order_number = false;
};

/// What the message says of its patient.
struct Told {
  std::string family;  // folded
  std::string given;   // folded; the first
  std::string born;
  std::string gender;
  std::vector<Number> ids;
  std::vector<Number> orders;  // and specimens
};

void add_number(std::vector<Number>& numbers, const Json& identifier) {
  Number number{std::string(identifier["system"].text()), std::string(identifier["value"].text())};
  const bool is_new = std::ranges::none_of(numbers, [&](const Number& one) {
    return one.system == number.system && one.value == number.value;
  });
  if (is_new && !number.value.empty() && numbers.size() < kNumbersMax)
    numbers.push_back(std::move(number));
}

std::string_view first_word(std::string_view text) { return text.substr(0, text.find(' ')); }

Told told_by(const IncomingMessage& message) {
  Told told;
  const Json& body = message.patient.draft.body;
  const Json& name = body["name"][0U];
  told.family = core::fold(name["family"].text());
  told.given = first_word(core::fold(name["given"][0U].text()));
  told.born = body["birthDate"].text();
  told.gender = body["gender"].text();
  const auto as_json = [](const PatientId& id) {
    return Json::object({{"system", id.system}, {"value", id.value}});
  };
  for (const PatientId& id : message.patient.ids) add_number(told.ids, as_json(id));
  for (const Json& id : body["identifier"].items()) add_number(told.ids, id);
  for (const PatientId& id : message.patient.carriers) add_number(told.orders, as_json(id));
  for (const Draft& draft : message.drafts) {
    for (const Json& order : draft.body["basedOn"].items())
      add_number(told.orders, order["identifier"]);
    if (draft.body["resourceType"].text() != "Specimen") continue;
    for (const Json& id : draft.body["identifier"].items()) add_number(told.orders, id);
  }
  return told;
}

/// Day and month in the other order; empty where that is no other date.
std::string swapped_date(std::string_view date) {
  if (date.size() != 10 || date.substr(5, 2) == date.substr(8)) return {};
  return cat(date.substr(0, 5), date.substr(8), "-", date.substr(5, 2));
}

bool is_near_date(std::string_view one, std::string_view other) {
  if (one.size() != 10 || other.size() != 10) return false;
  std::size_t differing = 0;
  for (std::size_t i = 0; i < one.size(); ++i) differing += one[i] == other[i] ? 0U : 1U;
  return differing == 1 || swapped_date(one) == other;
}

class Suggesting {
 public:
  Suggesting(Connection& connection, Told told) : connection_(connection), told_(std::move(told)) {}

  core::Result<Json> suggest();

 private:
  struct Carrier {
    std::string id, system;
  };
  core::Result<std::vector<Carrier>> carriers(std::string_view type, const std::string& number);
  core::Status by_identifiers();
  core::Status by_orders();
  core::Status by_birth_date();
  core::Status by_names();
  core::Result<std::vector<std::string>> names_like(const std::string& word);
  /// Adds Patients of a query of ids.
  core::Status add_found(crypto::Rows rows);
  Evidence* add(const std::string& patient);
  core::Result<std::map<std::string, Evidence>> people();
  Json judged(const Json& patient, const Evidence& evidence) const;
  void judge_identifiers(const Json& patient, Json& because, int& score) const;
  void judge_name(const Json& patient, Json& because, int& score) const;
  void judge_birth(const Json& patient, Json& because, Json& but, int& score) const;

  Connection& connection_;
  const Told told_;
  std::map<std::string, Evidence> found_;  // by the Patient's id
};

Evidence* Suggesting::add(const std::string& patient) {
  if (found_.size() >= kCandidatesMax && !found_.contains(patient)) return nullptr;
  return &found_[patient];
}

core::Status Suggesting::add_found(crypto::Rows rows) {
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return {};
    add(std::string(rows.text(0)));
  }
}

core::Result<std::vector<Suggesting::Carrier>> Suggesting::carriers(std::string_view type,
                                                                    const std::string& number) {
  GW_TRY(auto rows, connection_.query("SELECT id, system FROM search_token WHERE type = ?"
                                      " AND param = 'identifier' AND code = ? LIMIT ?",
                                      type, number, kCarriersMax));
  std::vector<Carrier> found;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) return found;
    found.push_back({std::string(rows.text(0)), std::string(rows.text(1))});
  }
}

core::Status Suggesting::by_identifiers() {
  for (const Number& id : told_.ids) {
    GW_TRY(const auto found, carriers("Patient", id.value));
    for (const Carrier& one : found) add(one.id);
  }
  return {};
}

core::Status Suggesting::by_orders() {
  for (const Number& number : told_.orders) {
    for (const std::string_view type : {"ServiceRequest", "Specimen"}) {
      GW_TRY(const auto found, carriers(type, number.value));
      for (const Carrier& one : found) {
        const bool is_same = one.system == number.system;
        if (!is_same && number.value.size() < kNumberSizeMin) continue;
        GW_TRY(const auto held, read_resource(connection_, {std::string(type), one.id}));
        if (!held) continue;
        // A specimen that answers no order is one a device told of: its number may come again.
        const bool is_order = type == "ServiceRequest";
        if (!is_order && held->body["request"].size() == 0) continue;
        const auto owner = parse_reference(patient_of(held->body));
        Evidence* const evidence = owner ? add(owner->id) : nullptr;
        if (evidence == nullptr) continue;
        const bool is_open = !is_order || held->body["status"].text() == "active";
        (is_same && is_open ? evidence->is_order : evidence->is_order_number) = true;
      }
    }
  }
  return {};
}

core::Status Suggesting::by_birth_date() {
  for (const std::string& date : {told_.born, swapped_date(told_.born)}) {
    const auto span = date.size() == 10 ? time_span(date) : std::nullopt;
    if (!span) continue;
    GW_TRY(auto rows, connection_.query("SELECT id FROM search_date WHERE type = 'Patient'"
                                        " AND param = 'birthdate' AND low = ? AND high = ? LIMIT ?",
                                        span->low, span->high, kBornMax));
    GW_CHECK(add_found(std::move(rows)));
  }
  return {};
}

/// Names that are here, the same before those that are near.
core::Result<std::vector<std::string>> Suggesting::names_like(const std::string& word) {
  GW_TRY(auto rows, connection_.query("SELECT DISTINCT value FROM search_string WHERE"
                                      " type = 'Patient' AND param = 'name' LIMIT ?",
                                      kNamesMax));
  std::vector<std::string> alike;
  while (true) {
    GW_TRY(const bool more, rows.next());
    if (!more) break;
    const std::string_view name = rows.text(0);
    const Likeness like = std::max(likeness(word, name), likeness(word, first_word(name)));
    if (like == Likeness::same) alike.insert(alike.begin(), std::string(name));
    if (like == Likeness::near) alike.emplace_back(name);
  }
  if (alike.size() > kAlikeMax) alike.resize(kAlikeMax);
  return alike;
}

core::Status Suggesting::by_names() {
  for (const std::string& word : {told_.family, told_.given}) {
    if (word.empty()) continue;
    GW_TRY(const auto names, names_like(word));
    for (const std::string& name : names) {
      GW_TRY(auto rows, connection_.query("SELECT id FROM search_string WHERE type = 'Patient'"
                                          " AND param = 'name' AND value = ? LIMIT ?",
                                          name, kNamesakesMax));
      GW_CHECK(add_found(std::move(rows)));
    }
  }
  return {};
}

/// Of each person the record that stays, with what speaks for any of them.
core::Result<std::map<std::string, Evidence>> Suggesting::people() {
  std::map<std::string, Evidence> people;
  for (const auto& [patient, evidence] : found_) {
    GW_TRY(const auto records, replacements_of(connection_, patient));
    Evidence& of_person = people[records.back()];
    of_person.is_order = of_person.is_order || evidence.is_order;
    of_person.is_order_number = of_person.is_order_number || evidence.is_order_number;
  }
  return people;
}

void Suggesting::judge_identifiers(const Json& patient, Json& because, int& score) const {
  bool is_same = false;
  bool is_number = false;
  for (const Number& told : told_.ids) {
    for (const Json& one : patient["identifier"].items()) {
      if (one["value"].text() != told.value) continue;
      is_number = true;
      is_same = is_same || (!told.system.empty() && one["system"].text() == told.system);
    }
  }
  if (!is_number) return;
  because.add(is_same ? "identifier" : "identifier_of_another");
  score += is_same ? 50 : 30;
}

/// By the best of the record's names; first and last name are exchanged often enough.
void Suggesting::judge_name(const Json& patient, Json& because, int& score) const {
  int best = 0;
  std::string_view how;
  const auto take = [&](std::string_view family, std::string_view given, bool is_swapped) {
    const Likeness families = likeness(told_.family, family);
    const Likeness givens = likeness(told_.given, given);
    const Likeness least = std::min(families, givens);
    const bool is_whole = least == Likeness::same && !is_swapped;
    const bool is_near = least != Likeness::other;
    const bool is_family = families == Likeness::same && !is_swapped;
    const int points = is_whole ? 35 : is_near ? 22 : is_family ? 12 : 0;
    if (points <= best) return;
    best = points;
    how = is_whole ? "name" : is_near ? "near_name" : "family_name";
  };
  for (const Json& name : patient["name"].items()) {
    const std::string family = core::fold(name["family"].text());
    const std::string given(first_word(core::fold(name["given"][0U].text())));
    take(family, given, false);
    take(given, family, true);
  }
  if (best == 0) return;
  because.add(how);
  score += best;
}

void Suggesting::judge_birth(const Json& patient, Json& because, Json& but, int& score) const {
  const std::string_view born = patient["birthDate"].text();
  if (!born.empty() && !told_.born.empty()) {
    if (born == told_.born) {
      because.add("birth_date");
      score += 25;
    } else if (is_near_date(born, told_.born)) {
      because.add("near_birth_date");
      score += 10;
    } else {
      but.add("other_birth_date");
      score -= 20;
    }
  }
  const std::string_view gender = patient["gender"].text();
  if (gender.empty() || told_.gender.empty() || gender == told_.gender) return;
  but.add("other_sex");
  score -= 15;
}

/// Null: too little speaks for it.
Json Suggesting::judged(const Json& patient, const Evidence& evidence) const {
  int score = 0;
  Json because = Json::array();
  Json but = Json::array();
  judge_identifiers(patient, because, score);
  if (evidence.is_order || evidence.is_order_number) {
    because.add(evidence.is_order ? "order" : "order_number");
    score += evidence.is_order ? 50 : 30;
  }
  judge_name(patient, because, score);
  judge_birth(patient, because, but, score);
  if (score < kScoreMin) return {};
  Json identifiers = Json::array();
  for (const Json& one : patient["identifier"].items()) {
    if (identifiers.size() == kIdentifiersShown) break;
    identifiers.add(
        Json::object({{"system", one["system"].text()}, {"value", one["value"].text()}}));
  }
  return Json::object({{"patient", patient["id"].text()},
                       {"name", fhir::pn_from_human_names(patient["name"])},
                       {"birth_date", patient["birthDate"].text()},
                       {"gender", patient["gender"].text()},
                       {"identifiers", std::move(identifiers)},
                       {"score", std::min(score, 100)},
                       {"because", std::move(because)},
                       {"but", std::move(but)}});
}

core::Result<Json> Suggesting::suggest() {
  // What says most comes first, so that a bound cuts off what says least.
  GW_CHECK(by_orders());
  GW_CHECK(by_identifiers());
  GW_CHECK(by_birth_date());
  GW_CHECK(by_names());
  GW_TRY(const auto who, people());
  std::vector<Json> all;
  for (const auto& [id, evidence] : who) {
    GW_TRY(const auto held, read_resource(connection_, {"Patient", id}));
    if (!held) continue;
    if (Json one = judged(held->body, evidence); !one.is_null()) all.push_back(std::move(one));
  }
  std::ranges::stable_sort(all, [](const Json& one, const Json& other) {
    return one["score"].integer() > other["score"].integer();
  });
  Json best = Json::array();
  for (std::size_t i = 0; i < std::min(all.size(), kSuggestionsMax); ++i)
    best.add(std::move(all[i]));
  return best;
}

}  // namespace

core::Result<Json> suggest_patients(Connection& connection, const IncomingMessage& message) {
  return Suggesting(connection, told_by(message)).suggest();
}

}  // namespace gateway::sync
