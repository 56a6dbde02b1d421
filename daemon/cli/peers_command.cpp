#include "daemon/cli/peers_command.h"

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
  std::string ae_title;
  std::string address;
};

std::string format_peers(const Json& answer) {
  std::string text;
  if (answer["callers"].size() == 0) {
    text = "No caller was recorded.\n";
  } else {
    std::vector<std::vector<std::string>> rows{
        {"AE TITLE", "ADDRESS", "TLS", "STATE", "CALLED", "FIRST", "LAST"}};
    for (const Json& caller : answer["callers"].items()) {
      rows.push_back(
          {std::string(caller["ae_title"].text()), std::string(caller["address"].text()),
           caller["encrypted"].boolean() ? "yes" : "no", std::string(caller["state"].text()),
           std::string(caller["called_ae_title"].text()), std::string(caller["first_at"].text()),
           std::string(caller["last_at"].text())});
    }
    text = format_table(rows);
  }
  if (answer["peers"].size() == 0) return text;
  std::vector<std::vector<std::string>> rows{{"NAME", "AE TITLE", "HOST", "PORT"}};
  for (const Json& peer : answer["peers"].items()) {
    rows.push_back({std::string(peer["name"].text()), std::string(peer["ae_title"].text()),
                    std::string(peer["host"].text()), peer["port"].number_text()});
  }
  return cat(text, "\nIn the settings:\n", format_table(rows));
}

std::string format_changed(const Json& answer) {
  return cat(answer["changed"].number_text(), " changed.\n");
}

int change(const CommonOptions& common, const char* route, const Asked& asked) {
  const Json body = Json::object({{"ae_title", asked.ae_title}, {"address", asked.address}});
  const auto answer = ask(common.socket, post(route, body.dump()), kTimeout);
  if (!answer.ok()) return complain(common, answer.error());
  return print(common, *answer, format_changed);
}

}  // namespace

void add_peers_commands(CLI::App& app, const CommonOptions& common, std::function<int()>& action) {
  const auto asked = std::make_shared<Asked>();
  CLI::App* peers = app.add_subcommand("peers", "who calls by DICOM, and who may");
  peers->fallthrough();
  peers->require_subcommand(1);
  CLI::App* list = peers->add_subcommand("list", "recorded callers, and the peers of the settings");
  list->fallthrough();
  list->callback([&common, &action] {
    action = [&common] { return show(common, "/v1/peers", format_peers); };
  });
  const auto changing = [&](const char* name, const char* what, const char* route) {
    CLI::App* sub = peers->add_subcommand(name, what);
    sub->fallthrough();
    sub->add_option("ae-title", asked->ae_title, "its AE title; \"\" for one that sends none")
        ->required();
    sub->add_option("--address", asked->address, "only as it called from there");
    sub->callback([&common, &action, asked, route] {
      action = [&common, asked, route] { return change(common, route, *asked); };
    });
  };
  changing("approve", "let a recorded caller in", "/v1/peers/approve");
  changing("remove", "forget a recorded caller, and its approval", "/v1/peers/remove");
}

}  // namespace gateway::cli
