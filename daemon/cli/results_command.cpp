#include "daemon/cli/results_command.h"

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
  std::vector<std::int64_t> numbers;
  std::string person;
};

std::string format_results(const Json& answer) {
  if (answer["results"].size() == 0) return "No result waits for a person's release.\n";
  std::vector<std::vector<std::string>> rows{{"NUMBER", "RECEIVED", "DEVICE", "PATIENT", "RESULT"}};
  for (const Json& one : answer["results"].items()) {
    for (const Json& item : one["items"].items()) {
      const std::string_view flag = item["flag"].text();
      rows.push_back({one["number"].number_text(), std::string(one["received_at"].text()),
                      std::string(one["device"].text()), std::string(one["patient"].text()),
                      cat(item["what"].text(), item["value"].text().empty() ? "" : ": ",
                          item["value"].text(), flag.empty() ? "" : cat(" (", flag, ")"))});
    }
  }
  return cat(format_table(rows),
             answer["more"].boolean() ? "\nThere are more; these are the oldest.\n" : "");
}

int release(const CommonOptions& common, const Asked& asked) {
  const Json body = Json::object({{"by", asked.person}});
  Json done = Json::array();
  for (const std::int64_t number : asked.numbers) {
    const auto answer =
        ask(common.socket, post(cat("/v1/results/", number), body.dump()), kTimeout);
    if (!answer.ok()) return complain(common, answer.error());
    done.add(*answer);
  }
  return print(common, Json::object({{"released", std::move(done)}}), [](const Json& all) {
    std::size_t results = 0;
    for (const Json& one : all["released"].items()) results += one["released"].size();
    return cat(results, " results are final now.\n");
  });
}

}  // namespace

void add_results_commands(CLI::App& app, const CommonOptions& common,
                          std::function<int()>& action) {
  CLI::App* results =
      app.add_subcommand("results", "results of devices that wait for a person's release");
  results->fallthrough();
  results->callback([&common, &action] {
    // A subcommand's own action stands.
    if (!action) action = [&common] { return show(common, "/v1/results", format_results); };
  });
  const auto asked = std::make_shared<Asked>();
  CLI::App* freed = results->add_subcommand("release", "makes what a message told final");
  freed->fallthrough();
  freed->add_option("numbers", asked->numbers, "the messages' numbers")->required();
  freed->add_option("--by", asked->person, "who has looked at them and answers for them")
      ->required();
  freed->callback(
      [&common, &action, asked] { action = [&common, asked] { return release(common, *asked); }; });
}

}  // namespace gateway::cli
