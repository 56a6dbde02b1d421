#include "sync/draft.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/text.h"
#include "sync/fhir/same_content.h"

namespace gateway::sync {
namespace {

using core::Json;

constexpr std::string_view kDraftPrefix = "#draft-";

/// How far a result has come; what has come further is never taken back by what has not.
int status_rank(std::string_view status) {
  if (status == "entered-in-error") return 4;
  if (status == "amended" || status == "corrected" || status == "appended") return 3;
  if (status == "final") return 2;
  if (status == "cancelled") return 2;
  if (status == "preliminary" || status == "partial") return 1;
  return 0;  // registered, unknown
}

bool is_released_status(std::string_view status) {
  const int rank = status_rank(status);
  return status != "cancelled" && (rank == 2 || rank == 3);
}

/// Elements of which a message brings some and never the last word on all.
bool is_union(std::string_view member) {
  constexpr std::array<std::string_view, 4> kUnions{"identifier", "result", "specimen", "basedOn"};
  return std::find(kUnions.begin(), kUnions.end(), member) != kUnions.end();
}

Json united(const Json& held, const Json& sent) {
  if (!held.is_array() || !sent.is_array()) return sent;
  Json all = held;
  for (const Json& item : sent.items()) {
    const bool known = std::any_of(held.items().begin(), held.items().end(), [&](const Json& one) {
      return same_value(one, item) || (!one["value"].is_null() && one["value"] == item["value"] &&
                                       one["system"] == item["system"]);
    });
    if (!known) all.add(item);
  }
  return all;
}

/// What one message tells of a stay, beside what another told: a discharge tells the end and where
/// to, and not the beginning and where from.
Json spanned(const Json& held, const Json& sent) {
  Json all = held;
  for (const char* side : {"start", "end"}) {
    if (!sent[side].is_null()) all.erase(core::cat('_', side));
  }
  for (const auto& [member, value] : sent.members()) all.set(member, value);
  return all;
}

/// The stem of a choice element ("valueQuantity" -> "value"), empty for any other.
std::string_view choice_stem(std::string_view member) {
  if (member.starts_with('_')) member.remove_prefix(1);
  constexpr std::array<std::string_view, 5> kStems{"value", "effective", "occurrence", "collected",
                                                   "deceased"};
  for (const std::string_view stem : kStems) {
    if (member.size() > stem.size() && member.starts_with(stem) && member[stem.size()] >= 'A' &&
        member[stem.size()] <= 'Z')
      return stem;
  }
  return {};
}

/// Another type of value takes the place of the one held; so does the reason why there is none.
void drop_other_choices(Json& body, const Json& sent) {
  std::vector<std::string> gone;
  for (const auto& [member, value] : sent.members()) {
    const std::string_view stem = choice_stem(member);
    const bool absent = member == "dataAbsentReason";
    if (stem.empty() && !absent) continue;
    for (const auto& [held, ignored] : body.members()) {
      const bool same_choice = !stem.empty() && choice_stem(held) == stem;
      const bool value_for_reason = (stem == "value" && held == "dataAbsentReason") ||
                                    (absent && choice_stem(held) == "value");
      if (same_choice || value_for_reason) gone.push_back(held);
    }
  }
  for (const std::string& member : gone) body.erase(member);
}

/// Unless another field of the message told it anew.
void erase(Json& body, std::string_view path, const Json& sent) {
  const auto dot = path.find('.');
  if (dot == std::string_view::npos) {
    if (sent[path].is_null()) body.erase(path);
    return;
  }
  const std::string_view member = path.substr(0, dot);
  const std::string_view inner = path.substr(dot + 1);
  if (!body[member].is_object() || !sent[member][inner].is_null()) return;
  Json rest = body[member];
  rest.erase(inner);
  rest.erase(core::cat('_', inner));
  if (rest.size() > 0) {
    body.set(member, std::move(rest));
  } else {
    body.erase(member);
  }
}

Json updated(const Json& held, const Draft& draft, const Json& sent) {
  Json body = held;
  drop_other_choices(body, sent);
  for (const auto& [member, value] : sent.members()) {
    const Json& was = held[std::string_view(member)];
    const bool is_span =
        (member == "period" || member == "hospitalization") && was.is_object() && value.is_object();
    body.set(member, is_union(member) ? united(was, value) : is_span ? spanned(was, value) : value);
  }
  for (const std::string& path : draft.erased) erase(body, path, sent);
  return body;
}

/// What was said of the value that is held says nothing of another one.
void drop_old_flag(Json& body, const Json& held, const Json& sent) {
  if (!sent["interpretation"].is_null()) return;
  const bool is_same = std::ranges::all_of(sent.members(), [&](const Json::Member& member) {
    return choice_stem(member.first) != "value" || member.first.starts_with('_') ||
           held[std::string_view(member.first)] == member.second;
  });
  if (!is_same || !sent["dataAbsentReason"].is_null()) body.erase("interpretation");
}

/// The status a result enters with, given what is held (empty: nothing).
std::string result_status(std::string_view sent, std::string_view held, bool is_released) {
  if (!is_released_status(sent)) return std::string(sent);
  if (is_released_status(held)) return sent == "final" ? std::string(held) : std::string(sent);
  // An instrument's "final" is not a person's.
  if (!is_released) return "preliminary";
  return std::string(sent);
}

std::optional<Json> meet_result(const Json& held, const Draft& draft, const Json& sent,
                                bool is_older) {
  const std::string_view was = held["status"].text();
  const std::string_view told = sent["status"].text();
  if (was == "entered-in-error") return std::nullopt;
  if (told == "entered-in-error") {
    Json body = held;
    body.set("status", told);
    return body;
  }
  const std::string status = result_status(told, was, draft.is_released);
  // What was cancelled and is measured after all is a result again, released or not.
  const bool is_measured_again = was == "cancelled" && !is_older && status_rank(status) > 0;
  if (status_rank(status) < status_rank(was) && !is_measured_again) return std::nullopt;
  if (is_older && status_rank(status) == status_rank(was)) return std::nullopt;
  Json body = updated(held, draft, sent);
  drop_old_flag(body, held, sent);
  body.set("status", was);
  if (same_content(body, held) && status == was) return std::nullopt;
  // A final result that says something else is not the one that was final.
  const bool changed = !same_content(body, held);
  body.set("status", changed && was == "final" && status == "final" ? "amended" : status);
  return body;
}

}  // namespace

std::string draft_reference(std::size_t index) { return core::cat(kDraftPrefix, index); }

std::optional<std::size_t> parse_draft_reference(std::string_view reference) {
  if (!reference.starts_with(kDraftPrefix)) return std::nullopt;
  reference.remove_prefix(kDraftPrefix.size());
  std::size_t index = 0;
  const auto [end, code] =
      std::from_chars(reference.data(), reference.data() + reference.size(), index);
  if (code != std::errc() || end != reference.data() + reference.size()) return std::nullopt;
  return index;
}

std::optional<Json> meet_held(const Json& held, const Draft& draft, const Json& sent,
                              bool is_older) {
  if (draft.kind == DraftKind::result) return meet_result(held, draft, sent, is_older);
  if (is_older) return std::nullopt;
  Json body = updated(held, draft, sent);
  if (same_content(body, held)) return std::nullopt;
  return body;
}

Json first_version(const Draft& draft, Json sent) {
  Json body = std::move(sent);
  if (!draft.status_if_new.empty()) body.set("status", draft.status_if_new);
  if (draft.kind == DraftKind::result)
    body.set("status", result_status(body["status"].text(), "", draft.is_released));
  return body;
}

}  // namespace gateway::sync
