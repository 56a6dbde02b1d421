#include "daemon/cli/logs_command.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "core/civil_time.h"
#include "core/text.h"
#include "daemon/cli/journal.h"
#include "daemon/ops/audit_routes.h"

namespace gateway::cli {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::Json;

struct Asked {
  JournalQuery query;
  std::string since;
};

/// "90s", "10m", "2h", "3d".
std::optional<std::chrono::seconds> ago(std::string_view text) {
  if (text.size() < 2) return std::nullopt;
  constexpr std::string_view kUnits = "smhd";
  constexpr int kSeconds[] = {1, 60, 3'600, 86'400};
  const auto unit = kUnits.find(text.back());
  int count = 0;
  const char* const end = text.data() + text.size() - 1;
  const auto [stopped, code] = std::from_chars(text.data(), end, count);
  constexpr int kCountMax = 10'000;
  if (unit == kUnits.npos || code != std::errc() || stopped != end || count < 0 ||
      count > kCountMax)
    return std::nullopt;
  return std::chrono::seconds(std::int64_t{count} * kSeconds[unit]);
}

core::Result<core::Wall> moment_of(const std::string& text) {
  const core::Wall now = core::system_clock().wall();
  if (const auto before = ago(text)) return now - *before;
  GW_TRY(const std::string instant, daemon::audit_moment(text));
  if (const auto moment = core::parse_instant(instant)) return *moment;
  return Error(Code::invalid, cat("\"", text, "\" is no moment"));
}

std::string line_of(const JournalEntry& entry) {
  std::string level = entry.level;
  level.resize(5, ' ');
  std::string line = cat(core::to_instant(entry.at), ' ', level, ' ',
                         entry.component.empty() ? "system" : entry.component, ": ", entry.message);
  // What is logged must not drive the terminal.
  std::replace_if(
      line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return line;
}

std::string json_of(const JournalEntry& entry) {
  Json row = Json::object({{"at", core::to_instant(entry.at)},
                           {"level", entry.level},
                           {"component", entry.component},
                           {"message", entry.message}});
  row.set("file", entry.file.empty() ? Json() : Json(entry.file));
  row.set("line", entry.file.empty() ? Json() : Json(entry.line));
  return row.dump();
}

int show_log(const CommonOptions& common, const Asked& asked) {
  JournalQuery query = asked.query;
  if (!asked.since.empty()) {
    const auto since = moment_of(asked.since);
    if (!since.ok()) return complain(common, since.error());
    query.since = *since;
  }
  std::uint64_t shown = 0;
  const core::Status read = read_journal(query, [&](const JournalEntry& entry) {
    ++shown;
    std::puts((common.json ? json_of(entry) : line_of(entry)).c_str());
    // False: whoever read it has gone.
    return std::fflush(stdout) == 0;
  });
  if (!read.ok()) return complain(common, read.error());
  if (shown == 0 && ::geteuid() != 0) {
    std::fputs(
        "clinic-gateway: nothing that you may read; use sudo, or join the group "
        "systemd-journal\n",
        stderr);
  }
  return kOk;
}

}  // namespace

void add_logs_command(CLI::App& app, const CommonOptions& common, std::function<int()>& action) {
  const auto asked = std::make_shared<Asked>();
  CLI::App* logs = app.add_subcommand("logs", "what the gateway logged, from the journal");
  logs->fallthrough();
  logs->add_flag("--follow,-f", asked->query.follow, "go on with what comes");
  logs->add_option("--since", asked->since,
                   "from then on: 90s, 10m, 2h or 3d ago, a date (UTC) or FHIR instant")
      ->check([](const std::string& given) {
        const auto moment = moment_of(given);
        return moment.ok() ? std::string() : moment.error().message();
      });
  logs->add_option("--lines", asked->query.newest, "without --since: the newest of them")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  logs->add_option("--component", asked->query.component, "only this part: dicom, sync, hl7, ...");
  logs->add_option("--directory", asked->query.directory,
                   "journal files that lie elsewhere, as of a box whose disk is looked at here");
  logs->callback([&common, &action, asked] {
    action = [&common, asked] { return show_log(common, *asked); };
  });
}

}  // namespace gateway::cli
