#include "adapters/fields/documents.h"

#include <map>
#include <optional>
#include <set>

#include "adapters/fields/xml.h"
#include "adapters/mapping/delimited_text.h"
#include "adapters/profiles/csv.h"
#include "core/text.h"

namespace gateway::adapters::fields {
namespace {

using core::cat;
using core::Json;

constexpr std::size_t kColumnsMax = 1000;

/// What Excel and its like write before the heading ("sep=;"); nothing: the profile says it.
std::optional<char> named_delimiter(std::string_view text) {
  constexpr std::string_view kNames = "sep=";
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const std::string_view line = mapping::next_line(text);
  const bool is_named = line.size() == kNames.size() + 1 &&
                        core::to_lower_ascii(line.substr(0, kNames.size())) == kNames;
  return is_named ? std::optional<char>(line.back()) : std::nullopt;
}

core::Result<std::vector<profiles::CsvRow>> table_of(const profiles::FieldMap& map,
                                                     std::string_view text) {
  const auto named = named_delimiter(text);
  GW_TRY(auto rows, profiles::parse_csv(text, named.value_or(map.delimiter), false));
  if (named && !rows.empty()) rows.erase(rows.begin());
  if (rows.empty()) return core::Error(core::Code::invalid, "the table has no heading");
  return rows;
}

/// Code::invalid: it has more cells than the heading. What is empty behind the last column is a
/// delimiter too many.
core::Result<Json> row_of(const profiles::CsvRow& heading, const profiles::CsvRow& row) {
  const auto& names = heading.cells;
  std::size_t count = row.cells.size();
  while (count > names.size() && core::trim(row.cells[count - 1]).empty()) --count;
  if (count > names.size())
    return core::Error(core::Code::invalid,
                       cat("line ", row.line, " has more cells than the heading"));
  core::Result<Json> made(Json::object());
  for (std::size_t cell = 0; cell < count; ++cell)
    made->set(core::trim(names[cell]), core::trim(row.cells[cell]));
  return made;
}

core::Result<Json> parse_table(const profiles::FieldMap& map, std::string_view text) {
  GW_TRY(const auto rows, table_of(map, text));
  if (rows[0].cells.size() > kColumnsMax)
    return core::Error(core::Code::invalid, "the table has too many columns");
  Json table = Json::array();
  for (std::size_t i = 1; i < rows.size(); ++i) {
    auto row = row_of(rows[0], rows[i]);
    if (!row.ok()) return row.error();
    table.add(std::move(*row));
  }
  return table;
}

/// What rows have in common that measure the same once more; empty: it cannot be told of this one.
std::string occasion_of(const profiles::FieldMap& map, const Json& row) {
  const Json context = Json::object();
  const profiles::FieldRow in{&row, &row, &context};
  if (!map.is_of_device && map.patient_id.text(in).empty()) return {};
  std::string occasion;
  for (const profiles::FieldPath* path : {&map.patient_id, &map.family, &map.given, &map.birth_date,
                                          &map.sex, &map.serial, &map.time})
    occasion += cat(path->text(in), '\n');
  for (const Json* result : map.results.find(in))
    occasion += cat(map.code.text({result, &row, &context}), '\n');
  return occasion;
}

}  // namespace

core::Result<Json> parse_document(const profiles::FieldMap& map, std::string_view text) {
  if (map.format == "csv") return parse_table(map, text);
  if (map.format == "xml") return parse_xml(text);
  if (map.format == "json") return Json::parse(text, 32);
  return core::Error(core::Code::invalid,
                     "no profile says what its fields mean; write device.*.profile");
}

core::Result<std::vector<std::string>> cut_rows(const profiles::FieldMap& map,
                                                std::string_view text) {
  if (map.format != "csv") return std::vector<std::string>{std::string(text)};
  GW_TRY(const auto rows, table_of(map, text));
  if (rows[0].cells.size() > kColumnsMax) return std::vector<std::string>{std::string(text)};
  const std::string_view heading = text.substr(0, rows[0].end);
  struct Document {
    std::string rows;
    std::set<std::string_view> seen;
  };
  std::vector<Document> documents;
  std::map<std::string, std::size_t> occasions;  // the document of each
  for (std::size_t i = 1; i < rows.size(); ++i) {
    const std::string_view sent = text.substr(rows[i].begin, rows[i].end - rows[i].begin);
    const auto row = row_of(rows[0], rows[i]);
    const std::string occasion = row.ok() ? occasion_of(map, *row) : std::string();
    std::size_t place = documents.size();
    if (!occasion.empty()) place = occasions.emplace(occasion, place).first->second;
    if (place == documents.size()) documents.emplace_back();
    // The very same row once more is no second measurement.
    if (!documents[place].seen.insert(core::trim(sent)).second) continue;
    if (!documents[place].rows.empty() && !documents[place].rows.ends_with('\n'))
      documents[place].rows += '\n';
    documents[place].rows += sent;
  }
  std::vector<std::string> made;
  made.reserve(documents.size());
  for (const Document& one : documents) made.push_back(cat(heading, one.rows));
  return made;
}

}  // namespace gateway::adapters::fields
