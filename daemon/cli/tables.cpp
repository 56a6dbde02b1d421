#include "daemon/cli/tables.h"

#include <algorithm>
#include <array>

#include "core/text.h"

namespace gateway::cli {
namespace {

using core::cat;
using core::Json;

constexpr std::size_t kCellMax = 64;  // characters; a UID has as many

std::size_t code_points(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return text;
}

/// At most `kCellMax` characters: one name must not push every row off the screen.
std::string clipped(const std::string& text) {
  std::size_t end = 0;
  for (std::size_t shown = 0; end < text.size(); ++end) {
    const bool begins = (static_cast<unsigned char>(text[end]) & 0xC0) != 0x80;
    if (begins && ++shown > kCellMax) return cat(text.substr(0, end), "...");
  }
  return text;
}

/// A scalar as it reads best: texts and numbers as they are, lists comma-separated.
std::string cell(const Json& value) {
  if (value.is_number()) return value.number_text();
  if (value.is_bool()) return value.boolean() ? "yes" : "no";
  if (value.is_array()) {
    std::string joined;
    for (const Json& item : value.items()) joined += cat(joined.empty() ? "" : ",", cell(item));
    return joined.empty() ? "-" : joined;
  }
  return value.text().empty() ? "-" : std::string(value.text());
}

std::string age(const Json& seconds) {
  const auto value = seconds.integer();
  return value ? format_duration(*value) : "-";
}

std::string rows_table(const Json& rows, const std::vector<std::string>& headings,
                       const std::vector<std::string>& members) {
  std::vector<std::vector<std::string>> table{headings};
  for (const Json& row : rows.items()) {
    std::vector<std::string> cells;
    for (const std::string& member : members) cells.push_back(clipped(cell(row[member])));
    // Nothing stands behind it; it is the reason often, which has to be read whole.
    cells.back() = cell(row[members.back()]);
    table.push_back(std::move(cells));
  }
  return format_table(table);
}

std::string queue_line(const Json& queue) {
  if (!queue.is_object()) return "unknown until unlocked";
  std::string line = cat(cell(queue["waiting"]), " waiting, ", cell(queue["parked"]), " parked");
  if (queue["oldest_age_s"].integer()) line += cat(", oldest ", age(queue["oldest_age_s"]));
  return line;
}

std::string reviews_line(const Json& reviews) {
  if (!reviews.is_object()) return "unknown until unlocked";
  std::string line = cat(cell(reviews["open"]), " to be decided");
  if (reviews["oldest_age_s"].integer()) line += cat(", oldest ", age(reviews["oldest_age_s"]));
  return line;
}

/// Empty: nothing is worth a line.
std::string inbox_line(const Json& inbox) {
  if (inbox["waiting"].integer().value_or(0) == 0) return {};
  return cat(cell(inbox["waiting"]), " of the hospital's wait for the patient or order they belong",
             " to, oldest ", age(inbox["oldest_age_s"]));
}

std::string mqtt_line(const Json& mqtt) {
  if (!mqtt["configured"].boolean()) return "not configured";
  if (mqtt["connected"].boolean()) return "connected";
  return cat("not connected: ", cell(mqtt["last_error"]));
}

std::string disk_line(const Json& disk) {
  const auto free_bytes = disk["free_bytes"].integer();
  return cat(free_bytes ? format_bytes(*free_bytes) : "unknown", " free, reserve ",
             format_bytes(disk["reserve_bytes"].integer().value_or(0)));
}

std::string state_line(const Json& status) {
  std::string line = cell(status["state"]);
  std::transform(line.begin(), line.end(), line.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  line += cat(" since ", cell(status["since"]));
  if (!status["reason"].text().empty()) line += cat(": ", status["reason"].text());
  return line;
}

std::string dicom_line(const Json& dicom) {
  std::string line = cell(dicom["state"]);
  const Json& counts = dicom["counts"];
  if (counts.is_object()) line += cat(", ", cell(counts["stored"]), " instances taken in");
  return cat(line, ", last heard of ", cell(dicom["last_seen"]));
}

}  // namespace

std::string format_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], code_points(row[i]));
    }
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string text = printable(row[i]);
      line += text;
      if (i + 1 < row.size()) line += std::string(widths[i] - code_points(text) + 2, ' ');
    }
    out += cat(line, '\n');
  }
  return out;
}

std::string format_duration(std::int64_t seconds) {
  if (seconds < 60) return cat(seconds, " s");
  if (seconds < 3600) return cat(seconds / 60, " min ", seconds % 60, " s");
  if (seconds < 86'400) return cat(seconds / 3600, " h ", seconds / 60 % 60, " min");
  return cat(seconds / 86'400, " d ", seconds / 3600 % 24, " h");
}

std::string format_bytes(std::int64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits{" B", " kB", " MB", " GB", " TB"};
  std::int64_t tenths = bytes * 10;
  std::size_t unit = 0;
  while (tenths >= 10'240 && unit + 1 < kUnits.size()) {
    tenths /= 1024;
    ++unit;
  }
  if (unit == 0) return cat(bytes, kUnits[0]);
  return cat(tenths / 10, '.', tenths % 10, kUnits[unit]);
}

std::string format_status(const Json& status) {
  std::vector<std::vector<std::string>> facts{
      {"state", state_line(status)},
      {"site", cat(cell(status["site"]), ", version ", cell(status["version"]), ", up ",
                   age(status["uptime_s"]))},
      {"keys", cell(status["key_protection"])},
      {"queue", queue_line(status["queue"])},
      {"reviews", reviews_line(status["reviews"])},
      {"dicom", dicom_line(status["dicom"])},
      {"mqtt", mqtt_line(status["mqtt"])},
      {"disk", disk_line(status["disk"])}};
  if (std::string inbox = inbox_line(status["inbox"]); !inbox.empty())
    facts.push_back({"inbox", std::move(inbox)});
  std::string out = format_table(facts);
  if (status["uplinks"].size() > 0) {
    out += cat(
        '\n',
        rows_table(status["uplinks"],
                   {"UPLINK", "KIND", "STATE", "WAITING", "PARKED", "LAST SUCCESS", "LAST ERROR"},
                   {"name", "kind", "state", "waiting", "parked", "last_success", "last_error"}));
  }
  for (const Json& problem : status["problems"].items()) {
    out += printable(cat("PROBLEM ", cell(problem["component"]), ": ", cell(problem["problem"])));
    out += '\n';
  }
  return out;
}

std::string format_studies(const Json& answer) {
  if (answer["studies"].size() == 0) return "No studies yet.\n";
  return rows_table(answer["studies"],
                    {"DATE", "PATIENT", "ID", "ACCESSION", "MODALITY", "INSTANCES", "DELIVERED",
                     "WAITING", "PARKED", "EVICTED", "FETCHED", "WITHDRAWN", "PINNED", "IDENTITY",
                     "DESCRIPTION", "STUDY UID"},
                    {"date", "patient_name", "patient_id", "accession", "modalities", "instances",
                     "delivered", "waiting", "parked", "evicted", "fetched", "withdrawn", "pinned",
                     "identity", "description", "study_uid"});
}

std::string format_queue(const Json& answer) {
  if (answer["queue"].size() == 0) return "Nothing is waiting.\n";
  return rows_table(
      answer["queue"],
      {"NUMBER", "UPLINK", "KIND", "SUBJECT", "STATE", "ATTEMPTS", "QUEUED AT", "REASON"},
      {"number", "uplink", "kind", "subject", "state", "attempts", "queued_at", "reason"});
}

std::string format_storage(const Json& answer) {
  const Json& retention = answer["upkeep"]["retention"];
  const Json& prefetch = answer["upkeep"]["prefetch"];
  const Json& scrub = answer["upkeep"]["scrub"];
  std::string out = format_table(
      {{"retention",
        cat(cell(retention["state"]), ", ", cell(retention["evicted"]), " instances evicted, ",
            cell(retention["verified"]), " confirmed since the start")},
       {"prefetch",
        cat(cell(prefetch["state"]), ", ", cell(prefetch["studies"]), " prior studies fetched, ",
            cell(prefetch["given_up"]), " given up since the start, ",
            format_bytes(prefetch["held_bytes"].integer().value_or(0)), " held")},
       {"scrub", cat(cell(scrub["state"]), ", ", cell(scrub["objects"]), " objects read, ",
                     cell(scrub["damaged"]), " damaged, ", cell(scrub["repaired"]),
                     " replaced, last whole round ", cell(scrub["finished_at"]))},
       {"database",
        cat(cell(scrub["database"]), ", checked ", cell(scrub["database_checked_at"]))}});
  for (const char* part : {"retention", "prefetch"}) {
    const Json& problem = answer["upkeep"][part]["problem"];
    if (problem.text().empty()) continue;
    out += printable(cat("PROBLEM ", part, ": ", problem.text()));
    out += '\n';
  }
  if (answer["storage"]["damaged"].size() > 0) {
    out += cat('\n',
               rows_table(answer["storage"]["damaged"],
                          {"DAMAGED INSTANCE", "STUDY", "OBJECT", "FOUND AT", "NOT FETCHED"},
                          {"sop_instance_uid", "study_uid", "object_id", "found_at", "fetched"}));
  }
  if (answer["storage"]["unconfirmed"].size() > 0) {
    out += cat('\n', rows_table(answer["storage"]["unconfirmed"],
                                {"UNCONFIRMED INSTANCE", "STUDY", "UPLINK", "THERE", "ASKED AT"},
                                {"sop_instance_uid", "study_uid", "uplink", "proof", "at"}));
  }
  return out;
}

std::string format_findings(const Json& answer) {
  std::string out;
  for (const Json& finding : answer["findings"].items()) {
    const std::string_view verdict = finding["verdict"].text();
    const std::string_view mark = verdict == "ok" ? "OK  " : verdict == "warn" ? "WARN" : "FAIL";
    std::string line = cat(mark, "  ", finding["check"].text(), ": ", finding["detail"].text());
    if (!finding["advice"].text().empty()) line += cat(" -> ", finding["advice"].text());
    out += cat(printable(std::move(line)), '\n');
  }
  return out;
}

}  // namespace gateway::cli
