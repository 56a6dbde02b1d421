#include "adapters/profiles/csv.h"

#include <algorithm>

#include "core/text.h"

namespace gateway::adapters::profiles {
namespace {

/// Takes one quoted cell; `at` stands behind its first quote and ends behind its last. False: it
/// has none.
bool take_quoted(std::string_view text, std::size_t& at, int& line, std::string& cell) {
  for (; at < text.size(); ++at) {
    if (text[at] == '\n') ++line;
    if (text[at] != '"') {
      cell += text[at];
    } else if (text.substr(at, 2) == "\"\"") {
      cell += text[at++];
    } else {
      ++at;
      return true;
    }
  }
  return false;
}

bool is_blank(const CsvRow& row, bool has_comments) {
  return (row.cells.size() == 1 && core::trim(row.cells[0]).empty()) ||
         (has_comments && row.cells[0].starts_with('#'));
}

}  // namespace

core::Result<std::vector<CsvRow>> parse_csv(std::string_view text, char delimiter,
                                            bool has_comments) {
  std::vector<CsvRow> rows;
  int line = 1;
  std::size_t at = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  while (at < text.size()) {
    CsvRow row{line, at, at, {std::string()}};
    while (at < text.size() && text[at] != '\n') {
      const char c = text[at++];
      if (c == '"' && row.cells.back().empty()) {
        if (!take_quoted(text, at, line, row.cells.back()))
          return core::Error(core::Code::invalid,
                             core::cat("line ", row.line, ": a quote has no end"));
      } else if (c == delimiter) {
        row.cells.emplace_back();
      } else if (c != '\r') {
        row.cells.back() += c;
      }
    }
    ++at;
    ++line;
    row.end = std::min(at, text.size());
    if (!is_blank(row, has_comments)) rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace gateway::adapters::profiles
