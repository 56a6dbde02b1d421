#include "adapters/fields/documents.h"

#include "adapters/fields/xml.h"
#include "adapters/profiles/csv.h"
#include "core/text.h"

namespace gateway::adapters::fields {
namespace {

using core::cat;
using core::Json;

constexpr std::size_t kColumnsMax = 1000;

core::Result<std::vector<profiles::CsvRow>> table_of(const profiles::FieldMap& map,
                                                     std::string_view text) {
  GW_TRY(auto rows, profiles::parse_csv(text, map.delimiter, false));
  if (rows.empty()) return core::Error(core::Code::invalid, "the table has no heading");
  return rows;
}

core::Result<Json> parse_table(const profiles::FieldMap& map, std::string_view text) {
  GW_TRY(const auto rows, table_of(map, text));
  const std::vector<std::string>& names = rows[0].cells;
  if (names.size() > kColumnsMax)
    return core::Error(core::Code::invalid, "the table has too many columns");
  Json table = Json::array();
  for (std::size_t i = 1; i < rows.size(); ++i) {
    const auto& cells = rows[i].cells;
    if (cells.size() > names.size())
      return core::Error(core::Code::invalid,
                         cat("line ", rows[i].line, " has more cells than the heading"));
    Json row = Json::object();
    for (std::size_t cell = 0; cell < cells.size(); ++cell)
      row.set(core::trim(names[cell]), core::trim(cells[cell]));
    table.add(std::move(row));
  }
  return table;
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
  const std::string_view heading = text.substr(0, rows[0].end);
  std::vector<std::string> documents;
  for (std::size_t i = 1; i < rows.size(); ++i)
    documents.push_back(cat(heading, text.substr(rows[i].begin, rows[i].end - rows[i].begin)));
  return documents;
}

}  // namespace gateway::adapters::fields
