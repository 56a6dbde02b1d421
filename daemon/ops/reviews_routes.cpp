#include "daemon/ops/reviews_routes.h"

#include <charconv>
#include <optional>

#include "core/text.h"
#include "sync/review.h"

namespace gateway::daemon {
namespace {

using core::Code;
using core::Error;
using core::Json;
using Take = sync::GroupAnswer::Take;

constexpr std::int64_t kReviewsMax = 200;

core::Result<std::int64_t> number_in(std::string_view path) {
  const std::string_view text = path.substr(kReviewRoutes.size() + 1);
  std::int64_t number = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (wrong != std::errc() || end != text.data() + text.size())
    return Error(Code::not_found, "there is no such review");
  return number;
}

std::optional<Take> take_named(std::string_view name) {
  if (name == "ours") return Take::ours;
  if (name == "theirs") return Take::theirs;
  if (name == "merged") return Take::merged;
  if (name == "held") return Take::held;
  return std::nullopt;
}

Error wrong_body() {
  return Error(Code::invalid,
               R"(the body must be {"take":"ours","theirs","merged" or "held","groups":[...]})"
               R"( or {"choices":{"GROUP":"ours",...},"edit":{"GROUP":{"ELEMENT":...}}})");
}

core::Result<sync::ReviewAnswer> answer_in(const std::string& body) {
  GW_TRY(const Json json, Json::parse(body));
  sync::ReviewAnswer answer;
  answer.seen = json["seen"].integer().value_or(0);
  for (const auto& [group, side] : json["choices"].members()) {
    const auto take = take_named(side.text());
    if (!take) return wrong_body();
    answer.groups[group].take = *take;
  }
  for (const auto& [group, elements] : json["edit"].members()) {
    if (!elements.is_object() || answer.groups.contains(group)) return wrong_body();
    answer.groups[group].edit = elements;
  }
  if (!answer.groups.empty()) return answer;
  const auto take = take_named(json["take"].text());
  if (!take) return wrong_body();
  answer.otherwise.take = *take;
  for (const Json& group : json["groups"].items())
    answer.groups[std::string(group.text())].take = *take;
  return answer;
}

core::Status decide(sync::Holdings& holdings, const core::Clock& clock, std::int64_t number,
                    const std::string& body, const std::string& actor) {
  GW_TRY(const sync::ReviewAnswer answer, answer_in(body));
  return holdings.database().write([&](crypto::Connection& connection) {
    const sync::Deciding with{holdings.audit(), holdings.options().worklist, actor, clock.wall()};
    return sync::decide_review(connection, with, number, answer);
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
