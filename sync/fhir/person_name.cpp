#include "sync/fhir/person_name.h"

#include <array>

#include "core/text.h"

namespace gateway::sync::fhir {
namespace {

using core::Json;

std::array<std::string_view, 5> pn_parts(std::string_view pn) {
  pn = pn.substr(0, pn.find('='));
  std::array<std::string_view, 5> parts;
  for (auto& part : parts) {
    const auto caret = pn.find('^');
    part = core::trim(pn.substr(0, caret));
    if (caret == std::string_view::npos) break;
    pn.remove_prefix(caret + 1);
  }
  return parts;
}

/// A PN component may not hold the delimiters of PN or of multi-valued text.
std::string pn_component(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c == '^' || c == '=' || c == '\\') c = ' ';
  }
  return out;
}

std::string joined(const Json& texts, std::size_t from) {
  std::string out;
  for (std::size_t i = from; i < texts.size(); ++i) {
    if (!out.empty()) out += ' ';
    out += pn_component(texts[i].text());
  }
  return out;
}

std::string_view first_word(std::string_view text) { return text.substr(0, text.find(' ')); }

}  // namespace

Json human_name_from_pn(std::string_view pn) {
  const auto [family, given, middle, prefix, suffix] = pn_parts(pn);
  if (family.empty() && given.empty() && middle.empty()) return {};
  Json name = Json::object();
  if (!family.empty()) name.set("family", family);
  if (!given.empty() || !middle.empty()) {
    Json givens = Json::array();
    if (!given.empty()) givens.add(given);
    if (!middle.empty()) givens.add(middle);
    name.set("given", givens);
  }
  if (!prefix.empty()) name.set("prefix", Json::array({prefix}));
  if (!suffix.empty()) name.set("suffix", Json::array({suffix}));
  return name;
}

std::string pn_from_human_names(const Json& names) {
  const Json* chosen = nullptr;
  int best = 0;
  for (const Json& name : names.items()) {
    const std::string_view use = name["use"].text();
    const int rank = use == "official" ? 4 : use == "usual" ? 3 : use == "old" ? 0 : 2;
    if (rank > best) {
      best = rank;
      chosen = &name;
    }
  }
  if (!chosen) return {};
  const Json& name = *chosen;
  const std::string_view family = name["family"].text();
  if (family.empty() && name["given"].size() == 0) return pn_from_display(name["text"].text());
  std::string pn = core::cat(pn_component(family), "^", pn_component(name["given"][0].text()), "^",
                             joined(name["given"], 1), "^", joined(name["prefix"], 0), "^",
                             joined(name["suffix"], 0));
  while (pn.ends_with('^')) pn.pop_back();
  return pn;
}

std::string pn_from_display(std::string_view display) { return pn_component(core::trim(display)); }

bool names_agree(std::string_view pn_a, std::string_view pn_b) {
  const auto a = pn_parts(pn_a);
  const auto b = pn_parts(pn_b);
  if ((a[0].empty() && a[1].empty()) || (b[0].empty() && b[1].empty())) return true;
  if (core::fold(a[0]) != core::fold(b[0])) return false;
  const std::string given_a(first_word(core::fold(a[1])));
  const std::string given_b(first_word(core::fold(b[1])));
  if (given_a.empty() || given_b.empty() || given_a == given_b) return true;
  const auto is_initial = [](const std::string& text, const std::string& of) {
    return (text.size() == 1 || (text.size() == 2 && text[1] == '.')) && of.starts_with(text[0]);
  };
  return is_initial(given_a, given_b) || is_initial(given_b, given_a);
}

std::string sex_from_gender(std::string_view gender) {
  if (gender == "male") return "M";
  if (gender == "female") return "F";
  if (gender == "other") return "O";
  return {};
}

std::string gender_from_sex(std::string_view sex) {
  if (sex == "M") return "male";
  if (sex == "F") return "female";
  if (sex == "O") return "other";
  return {};
}

std::string pn_search_key(std::string_view group) {
  std::string out;
  while (!group.empty()) {
    const auto end = group.find('^');
    out += core::trim(group.substr(0, end));
    out += '^';
    group = end == std::string_view::npos ? std::string_view() : group.substr(end + 1);
  }
  while (!out.empty() && out.back() == '^') out.pop_back();
  return core::fold(out);
}

}  // namespace gateway::sync::fhir
