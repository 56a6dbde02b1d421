#include "daemon/cli/reviews_command.h"

#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "core/text.h"
#include "daemon/cli/tables.h"

namespace gateway::cli {
namespace {

using core::cat;
using core::Json;

// The elements of a group come by standard input: never on a command line, where others see them.
constexpr std::size_t kEditMax = 64 * 1024;

struct Asked {
  std::int64_t number = 0;
  std::string take;
  std::vector<std::string> groups;
  std::string edited;  // the group
  std::int64_t seen = 0;
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
    std::vector<std::vector<std::string>> sides{{"  before", decision["base"].dump()},
                                                {"  clinic", decision["ours"].dump()},
                                                {"  hospital", decision["theirs"].dump()},
                                                {"  shown", decision["merged"].dump()}};
    if (decision["is_stale"].boolean())
      sides.push_back({cat("  now (version ", review["held_version"].number_text(), ")"),
                       decision["now"].dump()});
    text += format_table(sides);
  }
  return text;
}

int send(const CommonOptions& common, const Asked& asked, Json body) {
  if (asked.seen > 0) body.set("seen", asked.seen);
  const std::string path = cat("/v1/reviews/", asked.number);
  const auto answer = ask(common.socket, post(path, body.dump()), kTimeout);
  if (answer.ok()) return print(common, *answer, format_review);
  // Changed since: this is what is held now.
  if (answer.error().code() == core::Code::exists && !common.json)
    show(common, path, format_review);
  return complain(common, answer.error());
}

int take(const CommonOptions& common, const Asked& asked) {
  Json groups = Json::array();
  for (const std::string& group : asked.groups) groups.add(group);
  return send(common, asked, Json::object({{"take", asked.take}, {"groups", std::move(groups)}}));
}

int edit(const CommonOptions& common, const Asked& asked) {
  std::string text(kEditMax, '\0');
  std::cin.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::cin.gcount()));
  const auto elements = Json::parse(text);
  if (!elements.ok() || !elements->is_object()) {
    return complain(common, core::Error(core::Code::invalid,
                                        "standard input must be the elements of the group as one "
                                        "JSON object, such as {\"gender\":\"female\"}"));
  }
  return send(common, asked, Json::object({{"edit", Json::object({{asked.edited, *elements}})}}));
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
  taken
      ->add_option("side", asked->take,
                   "ours (the clinic's), theirs, merged, or held (as it is now)")
      ->required()
      ->check(CLI::IsMember({"ours", "theirs", "merged", "held"}));
  taken->add_option("--group", asked->groups, "only this group; may be given again");
  taken->add_option("--seen", asked->seen, "the version held now, which you have looked at");
  taken->callback(
      [&common, &action, asked] { action = [&common, asked] { return take(common, *asked); }; });
  CLI::App* edited = reviews->add_subcommand(
      "edit", "decide: set elements of a group (JSON from standard input), which is sent");
  edited->fallthrough();
  edited->add_option("number", asked->number, "number of the review")->required();
  edited->add_option("group", asked->edited, "the group, such as identity")->required();
  edited->add_option("--seen", asked->seen, "the version held now, which you have looked at");
  edited->callback(
      [&common, &action, asked] { action = [&common, asked] { return edit(common, *asked); }; });
}

}  // namespace gateway::cli
