#include "daemon/cli/reviews_command.h"

#include <memory>
#include <string>
#include <vector>

#include "core/text.h"
#include "daemon/cli/tables.h"

namespace gateway::cli {
namespace {

using core::cat;
using core::Json;

struct Asked {
  std::int64_t number = 0;
  std::string take;
  std::vector<std::string> groups;
};

std::string format_reviews(const Json& answer) {
  if (answer["reviews"].size() == 0) return "Nothing was changed on both sides.\n";
  std::vector<std::vector<std::string>> rows{{"NUMBER", "STATE", "RESOURCE", "GROUPS", "SINCE"}};
  for (const Json& review : answer["reviews"].items()) {
    std::string groups;
    for (const Json& group : review["groups"].items())
      groups += cat(groups.empty() ? "" : ", ", group.text());
    rows.push_back({review["number"].number_text(), std::string(review["state"].text()),
                    std::string(review["resource"].text()), std::move(groups),
                    std::string(review["at"].text())});
  }
  return format_table(rows);
}

std::string format_review(const Json& review) {
  std::string text = cat("Review ", review["number"].number_text(), ", ", review["resource"].text(),
                         ": ", review["state"].text(), "\n");
  for (const Json& decision : review["decisions"].items()) {
    text += cat("\n", decision["group"].text(), " (", decision["rule"].text(),
                "): ", decision["asked"].boolean() ? "to be decided; " : "merged; ",
                decision["reason"].text(), "\n");
    text += format_table({{"  before", decision["base"].dump()},
                          {"  clinic", decision["ours"].dump()},
                          {"  hospital", decision["theirs"].dump()},
                          {"  shown", decision["merged"].dump()}});
  }
  return text;
}

int take(const CommonOptions& common, const Asked& asked) {
  Json groups = Json::array();
  for (const std::string& group : asked.groups) groups.add(group);
  const Json body = Json::object({{"take", asked.take}, {"groups", std::move(groups)}});
  const auto answer =
      ask(common.socket, post(cat("/v1/reviews/", asked.number), body.dump()), kTimeout);
  if (!answer.ok()) return complain(common, answer.error());
  return print(common, *answer, format_review);
}

}  // namespace

void add_reviews_commands(CLI::App& app, const CommonOptions& common,
                          std::function<int()>& action) {
  const auto asked = std::make_shared<Asked>();
  CLI::App* reviews =
      app.add_subcommand("reviews", "what clinic and hospital both changed, and what is asked");
  reviews->fallthrough();
  reviews->callback([&common, &action] {
    // A subcommand's own action stands.
    if (!action) action = [&common] { return show(common, "/v1/reviews", format_reviews); };
  });
  CLI::App* one = reviews->add_subcommand("show", "one review, all sides of every group");
  one->fallthrough();
  one->add_option("number", asked->number, "number of the review")->required();
  one->callback([&common, &action, asked] {
    action = [&common, asked] {
      return show(common, cat("/v1/reviews/", asked->number), format_review);
    };
  });
  CLI::App* taken = reviews->add_subcommand("take", "decide: take one side, which is sent");
  taken->fallthrough();
  taken->add_option("number", asked->number, "number of the review")->required();
  taken->add_option("side", asked->take, "ours (the clinic's), theirs or merged")
      ->required()
      ->check(CLI::IsMember({"ours", "theirs", "merged"}));
  taken->add_option("--group", asked->groups, "only this group; may be given again");
  taken->callback(
      [&common, &action, asked] { action = [&common, asked] { return take(common, *asked); }; });
}

}  // namespace gateway::cli
