// Where a value stands in a record of named fields: a CSV row, an XML document or a JSON message,
// each seen as JSON (adapters/fields). "Result.Value" walks by names; "Result[*]" takes each of
// several, "Result[0]" one by its place, "Item[@code=FEV1]" those with that field. A path begins in
// the row; one with "/" in front in the whole document; one with "$" in what is known of the
// document: "$file.parts[0]", "$topic.room". Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/result.h"

namespace gateway::adapters::profiles {

/// One row of a document, with what surrounds it.
struct FieldRow {
  const core::Json* row = nullptr;
  const core::Json* whole = nullptr;
  const core::Json* context = nullptr;
};

class FieldPath {
 public:
  /// Code::invalid says what is wrong with the text.
  static core::Result<FieldPath> parse(std::string_view text);

  bool empty() const { return steps_.empty(); }
  /// All that stands there, in order; at most 10,000.
  std::vector<const core::Json*> find(const FieldRow& in) const;
  /// A field of that name is there, and says null.
  bool is_null(const FieldRow& in) const;
  /// The first value's text; empty: there is none.
  std::string text(const FieldRow& in) const;

 private:
  enum class Origin { row, whole, context };
  struct Step {
    std::string name;
    std::optional<std::size_t> index;
    std::string test;  // a member that must be `value`; empty: none
    std::string value;
  };
  static core::Status take_step(std::string_view& rest, Step& step);
  std::vector<const core::Json*> walk(const FieldRow& in, std::size_t steps) const;

  Origin origin_ = Origin::row;
  std::vector<Step> steps_;
};

/// A value as text: of an XML element with attributes its own text.
std::string text_of(const core::Json& value);

}  // namespace gateway::adapters::profiles
