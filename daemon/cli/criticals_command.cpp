#include "daemon/cli/criticals_command.h"

#include <memory>
#include <string>
#include <vector>

#include "core/text.h"
#include "daemon/cli/tables.h"

namespace gateway::cli {
namespace {

using core::cat;
using core::Json;

std::string format_criticals(const Json& answer) {
  if (answer["criticals"].size() == 0) return "No critical result waits to be noted.\n";
  std::vector<std::vector<std::string>> rows{{"NUMBER", "RECEIVED", "DEVICE", "PATIENT", "RESULT"}};
  for (const Json& one : answer["criticals"].items()) {
    const std::string_view patient = one["patient"].text();
    for (const Json& result : one["results"].items()) {
      rows.push_back({one["number"].number_text(), std::string(one["raised_at"].text()),
                      std::string(one["device"].text()),
                      patient.empty() ? "unknown: see letters" : std::string(patient),
                      cat(result["what"].text(), ": ", result["value"].text(), " (",
                          result["flag"].text(), ")")});
    }
  }
  return format_table(rows);
}

int acknowledge(const CommonOptions& common, std::int64_t number) {
  const auto answer = ask(common.socket, post(cat("/v1/criticals/", number), ""), kTimeout);
  if (!answer.ok()) return complain(common, answer.error());
  return print(common, *answer,
               [](const Json& done) { return cat("Noted: ", done["number"].number_text(), "\n"); });
}

}  // namespace

void add_criticals_commands(CLI::App& app, const CommonOptions& common,
                            std::function<int()>& action) {
  CLI::App* criticals =
      app.add_subcommand("criticals", "results that cannot wait, until somebody has taken note");
  criticals->fallthrough();
  criticals->callback([&common, &action] {
    // A subcommand's own action stands.
    if (!action) action = [&common] { return show(common, "/v1/criticals", format_criticals); };
  });
  const auto number = std::make_shared<std::int64_t>(0);
  CLI::App* noted = criticals->add_subcommand("acknowledge", "somebody has taken note of it");
  noted->fallthrough();
  noted->add_option("number", *number, "its number")->required();
  noted->callback([&common, &action, number] {
    action = [&common, number] { return acknowledge(common, *number); };
  });
}

}  // namespace gateway::cli
