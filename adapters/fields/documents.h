// A record in any of the formats, seen as JSON, and a table cut into a document for each row: rows
// are of different patients, and a file that grows is dropped again and again. Rows that measure
// the same once more, of one patient at one time, are one document: alone, the later would take
// the place of the earlier.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "adapters/profiles/field_map.h"
#include "core/json.h"
#include "core/result.h"

namespace gateway::adapters::fields {

/// `text` in UTF-8. A CSV is the array of its rows, cells by the heading's names; the members of
/// {"ROOT":...} are XML's. Code::invalid says what is wrong with it.
core::Result<core::Json> parse_document(const profiles::FieldMap& map, std::string_view text);
/// The rows of each of a CSV's documents with the heading before them, as they were written, the
/// very same row once; other formats stay whole.
core::Result<std::vector<std::string>> cut_rows(const profiles::FieldMap& map,
                                                std::string_view text);

}  // namespace gateway::adapters::fields
