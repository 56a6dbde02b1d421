#include "daemon/ops/reviews_routes.h"

#include <charconv>
#include <map>
#include <optional>

#include "core/text.h"
#include "sync/review.h"

namespace gateway::daemon {
namespace {

using core::Code;
using core::Error;
using core::Json;
using sync::Choice;

constexpr std::int64_t kReviewsMax = 200;

core::Result<std::int64_t> number_in(std::string_view path) {
  const std::string_view text = path.substr(kReviewRoutes.size() + 1);
  std::int64_t number = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (wrong != std::errc() || end != text.data() + text.size())
    return Error(Code::not_found, "there is no such review");
  return number;
}

std::optional<Choice> choice_named(std::string_view name) {
  for (const Choice choice : {Choice::ours, Choice::theirs, Choice::merged}) {
    if (name == sync::to_string(choice)) return choice;
  }
  return std::nullopt;
}

struct Decision {
  std::map<std::string, Choice> choices;
  Choice otherwise = Choice::theirs;  // of every asked group, where no choice is named
};

core::Result<Decision> decision_in(const std::string& body) {
  const Error wrong(Code::invalid,
                    R"(the body must be {"take":"ours","theirs" or "merged","groups":[...]})"
                    R"( or {"choices":{"GROUP":"ours",...}})");
  GW_TRY(const Json json, Json::parse(body, 4));
  Decision decision;
  for (const auto& [group, side] : json["choices"].members()) {
    const auto choice = choice_named(side.text());
    if (!choice) return wrong;
    decision.choices.emplace(group, *choice);
  }
  if (!decision.choices.empty()) return decision;
  const auto choice = choice_named(json["take"].text());
  if (!choice) return wrong;
  decision.otherwise = *choice;
  for (const Json& group : json["groups"].items())
    decision.choices.emplace(std::string(group.text()), *choice);
  return decision;
}

core::Status decide(sync::Holdings& holdings, const core::Clock& clock, std::int64_t number,
                    const std::string& body, const std::string& actor) {
  GW_TRY(const Decision decision, decision_in(body));
  return holdings.database().write([&](crypto::Connection& connection) {
    return sync::decide_review(connection, holdings.audit(), number, decision.choices,
                               decision.otherwise, {actor, clock.wall()});
  });
}

}  // namespace

core::Result<Json> answer_reviews(sync::Holdings& holdings, const core::Clock& clock,
                                  std::string_view method, std::string_view path,
                                  const std::string& body, const std::string& actor) {
  if (path == kReviewRoutes) {
    if (method != "GET") return Error(Code::refused, "this route takes GET");
    auto reviews = holdings.database().read_value<Json>([](crypto::Connection& connection) {
      return sync::reviews_report(connection, kReviewsMax);
    });
    if (!reviews.ok()) return std::move(reviews).error();
    Json document = Json::object();
    document.set("reviews", std::move(*reviews));
    return document;
  }
  GW_TRY(const std::int64_t number, number_in(path));
  if (method == "POST") GW_CHECK(decide(holdings, clock, number, body, actor));
  return holdings.database().read_value<Json>(
      [number](crypto::Connection& connection) { return sync::review_report(connection, number); });
}

}  // namespace gateway::daemon
