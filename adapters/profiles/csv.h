// Comma-separated values (RFC 4180): quoted cells, doubled quotes, CR LF or LF, a byte order mark.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace gateway::adapters::profiles {

struct CsvRow {
  int line = 0;  // where it begins, from 1
  std::vector<std::string> cells;
};

/// Rows without those that are blank or begin with '#'. Code::invalid: a quote that does not end.
core::Result<std::vector<CsvRow>> parse_csv(std::string_view text);

}  // namespace gateway::adapters::profiles
