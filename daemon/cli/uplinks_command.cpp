#include "daemon/cli/uplinks_command.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/text.h"
#include "daemon/cli/tables.h"

namespace gateway::cli {
namespace {

using core::cat;
using core::Json;

std::string known(const Json& found) {
  if (found.is_null()) return "not known";
  return found.boolean() ? "yes" : "no";
}

std::string format_commitment(const Json& server) {
  const bool takes_it = server["storage_commitment"].boolean();
  std::vector<std::vector<std::string>> rows{
      {"  takes storage commitment requests", known(server["storage_commitment"])}};
  if (!takes_it) {
    rows.push_back(
        {"  WARNING", "nobody proves that it has what was sent there: images stay here for good"});
  }
  return format_table(rows);
}

/// What was found out about one FHIR server, or PACS.
std::string format_server(const Json& server) {
  if (server.is_null()) return "  nothing is known of the server yet\n";
  if (!server["storage_commitment"].is_null()) return format_commitment(server);
  const std::pair<const char*, const char*> kFound[] = {
      {"batch", "takes a batch"},
      {"transaction", "takes a transaction"},
      {"gzip", "unpacks gzip"},
      {"put_creates", "keeps ids of ours"},
      {"if_match", "checks If-Match"},
      {"if_match_in_bundle", "checks it in a Bundle"},
      {"if_none_match", "checks If-None-Match"},
      {"type_history", "tells deletions"}};
  std::vector<std::vector<std::string>> rows{
      {"  server", cat(server["software"].text(), ", FHIR ", server["fhir_version"].text())},
      {"  asked", std::string(server["asked_at"].text())}};
  for (const auto& [member, words] : kFound)
    rows.push_back({cat("  ", words), known(server[std::string_view(member)])});
  if (const Json& hints = server["hints"]; !hints.is_null()) {
    rows.push_back({"  tells of changes",
                    cat(hints["listening"].integer().value_or(0), " of ",
                        hints["searches"].integer().value_or(0), " searches are listened for")});
    if (!hints["error"].text().empty())
      rows.push_back({"  WARNING", cat("hints: ", hints["error"].text())});
  }
  for (const Json& warning : server["warnings"].items())
    rows.push_back({"  WARNING", std::string(warning.text())});
  return format_table(rows);
}

std::string format_uplinks(const Json& status) {
  if (status["uplinks"].size() == 0) return "No uplink is configured.\n";
  std::string text;
  for (const Json& uplink : status["uplinks"].items()) {
    text += cat(text.empty() ? "" : "\n", "Uplink ", uplink["name"].text(), " (",
                uplink["kind"].text(), "): ", uplink["state"].text(),
                uplink["open"] == Json(false) ? ", outside its hours" : "", "\n");
    if (!uplink["last_error"].text().empty())
      text += format_table({{"  last error", std::string(uplink["last_error"].text())}});
    const std::string_view kind = uplink["kind"].text();
    if (kind == "fhir" || kind == "dicom") text += format_server(uplink["server"]);
  }
  return text;
}

std::string format_tried(const Json&) { return "Everything that waits is tried now.\n"; }

std::string format_changed(const Json& answer) {
  std::string text;
  for (const Json& name : answer["changed"].items()) text += cat(name.text(), ": done\n");
  return text;
}

std::string format_probed(const Json& answer) {
  std::string text;
  for (const Json& uplink : answer["uplinks"].items()) {
    text += cat(uplink["name"].text(), ":\n");
    const std::string_view error = uplink["error"].text();
    text += error.empty() ? format_server(uplink["server"]) : cat("  ", error, '\n');
  }
  return text;
}

int act(const CommonOptions& common, const char* route, const Json& body, Format format) {
  const auto answer = ask(common.socket, post(route, body.dump()), kLongTimeout);
  if (!answer.ok()) return complain(common, answer.error());
  const int printed = print(common, *answer, format);
  for (const Json& uplink : (*answer)["uplinks"].items())
    if (!uplink["error"].is_null()) return kFailed;
  return printed;
}

}  // namespace

void add_uplinks_commands(CLI::App& app, const CommonOptions& common,
                          std::function<int()>& action) {
  CLI::App* uplinks = app.add_subcommand("uplinks", "the ways out to hospital and PACS");
  uplinks->require_subcommand(1)->fallthrough();
  CLI::App* one =
      uplinks->add_subcommand("show", "how each stands, and what its server was found to do");
  one->fallthrough();
  one->callback([&common, &action] {
    action = [&common] { return show(common, "/v1/status", format_uplinks); };
  });
  const auto uplink = std::make_shared<std::string>();
  const auto acting = [&](const char* name, const char* what, const char* route, Format format,
                          std::optional<bool> paused = std::nullopt) {
    CLI::App* sub = uplinks->add_subcommand(name, what);
    sub->fallthrough();
    if (format != format_tried) sub->add_option("--uplink", *uplink, "only this one");
    sub->callback([&common, &action, uplink, route, format, paused] {
      action = [&common, uplink, route, format, paused] {
        Json body = Json::object({{"uplink", *uplink}});
        if (paused) body.set("paused", *paused);
        return act(common, route, body, format);
      };
    });
  };
  acting("sync", "try everything now, whatever waits for its time", "/v1/uplinks/sync",
         format_tried);
  acting("pause", "begin nothing new, until resumed", "/v1/uplinks/pause", format_changed, true);
  acting("resume", "go on", "/v1/uplinks/pause", format_changed, false);
  acting("probe", "ask the servers anew what they can do", "/v1/uplinks/probe", format_probed);
}

}  // namespace gateway::cli
