#include "adapters/profiles/code_map.h"

#include <algorithm>

#include "adapters/profiles/csv.h"
#include "core/text.h"

namespace gateway::adapters::profiles {
namespace {

using core::cat;

constexpr std::size_t kColumns = 5;
constexpr std::string_view kNoUnit = "-";

core::Error mistake(int line, std::string_view what) {
  return {core::Code::invalid, cat("codes.csv line ", line, ": ", what)};
}

/// NNNNN-N with the Luhn (mod 10) check digit LOINC codes carry.
bool is_loinc(std::string_view code) {
  const auto dash = code.find('-');
  if (dash == std::string_view::npos || dash == 0 || code.size() != dash + 2) return false;
  int sum = 0;
  for (std::size_t i = 0; i < dash; ++i) {
    const char c = code[dash - 1 - i];
    if (c < '0' || c > '9') return false;
    const int doubled = (c - '0') * (i % 2 == 0 ? 2 : 1);
    sum += doubled / 10 + doubled % 10;
  }
  return (10 - sum % 10) % 10 == code[dash + 1] - '0';
}

}  // namespace

core::Result<CodeMap> CodeMap::parse(std::string_view csv) {
  GW_TRY(const std::vector<CsvRow> rows, parse_csv(csv));
  CodeMap map;
  bool is_heading = true;
  for (const CsvRow& row : rows) {
    if (row.cells.size() != kColumns)
      return mistake(row.line, "must have the cells code,unit,loinc,display,ucum");
    if (std::exchange(is_heading, false)) continue;
    const auto cell = [&](std::size_t i) { return std::string(core::trim(row.cells[i])); };
    CodeRow made{cell(0), cell(1), cell(2), cell(3), cell(4)};
    if (made.code.empty()) return mistake(row.line, "has no code");
    if (!made.loinc.empty() && !is_loinc(made.loinc))
      return mistake(row.line, cat("\"", made.loinc, "\" is no LOINC code (its check digit)"));
    const bool is_double = std::any_of(map.rows_.begin(), map.rows_.end(), [&](const CodeRow& one) {
      return one.code == made.code && one.unit == made.unit;
    });
    if (is_double) return mistake(row.line, cat("maps ", made.code, " a second time"));
    map.rows_.push_back(std::move(made));
  }
  return map;
}

CodeMap::Found CodeMap::find(std::string_view code, std::string_view unit) const {
  code = core::trim(code);
  unit = core::trim(unit);
  Found found;
  bool is_known = false;
  for (const CodeRow& row : rows_) {
    if (row.code != code) continue;
    is_known = true;
    const bool is_exact = row.unit == kNoUnit ? unit.empty() : row.unit == unit;
    if (is_exact) return {&row, false};
    // Without a unit a row that wants one does not decide, and nothing speaks against it either.
    if (row.unit.empty()) found.row = &row;
  }
  found.is_impossible_pair = is_known && found.row == nullptr && !unit.empty();
  return found;
}

std::vector<std::string> CodeMap::local_codes(std::string_view loinc) const {
  std::vector<std::string> codes;
  for (const CodeRow& row : rows_) {
    const bool is_new = std::find(codes.begin(), codes.end(), row.code) == codes.end();
    if (row.loinc == loinc && is_new) codes.push_back(row.code);
  }
  return codes;
}

}  // namespace gateway::adapters::profiles
