// Comma-separated values (RFC 4180): quoted cells, doubled quotes, CR LF or LF, a byte order mark.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace gateway::adapters::profiles {

struct CsvRow {
  int line = 0;           // where it begins, from 1
  std::size_t begin = 0;  // its bytes in the text, line end included
  std::size_t end = 0;
  std::vector<std::string> cells;
};

/// Rows without those that are blank or, in a file of ours, begin with '#'. Code::invalid: a quote
/// that does not end.
core::Result<std::vector<CsvRow>> parse_csv(std::string_view text, char delimiter = ',',
                                            bool has_comments = true);

}  // namespace gateway::adapters::profiles
