// Comma-separated values: rows that cover what they were read from, and a table cut into its rows.
#include "adapters/profiles/csv.h"

#include <cstdint>
#include <cstdlib>

#include "adapters/fields/documents.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gateway;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto rows = adapters::profiles::parse_csv(text, ';', false);
  std::size_t end = 0;
  if (rows.ok()) {
    for (const auto& row : *rows) {
      if (row.begin < end || row.end < row.begin || row.end > size) std::abort();
      end = row.end;
    }
  }
  adapters::profiles::FieldMap map;
  map.format = "csv";
  map.delimiter = ';';
  const auto cut = adapters::fields::cut_rows(map, text);
  if (!cut.ok()) return 0;
  for (const std::string& one : *cut) static_cast<void>(adapters::fields::parse_document(map, one));
  return 0;
}
