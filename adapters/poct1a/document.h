// A POCT1-A message: an XML document whose root names its type ("OBS.R01"), made of objects (HDR,
// SVC, PT, OBS) with fields ("PT.patient_id"), each value in the attribute V with its unit in U,
// its coding system in SN and its display name in DN.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/result.h"

namespace gateway::adapters::poct1a {

class Document {
 public:
  /// `default_set`: the character set where the document names none and is not UTF-8. A document
  /// type declaration is refused (adapters/fields/xml.h). Code::invalid says what is wrong; it
  /// shows none of the text.
  static core::Result<Document> parse(std::string_view bytes, std::string_view default_set);

  const std::string& type() const { return type_; }
  /// What an acknowledgment names; empty: the header has none.
  std::string control_id() const;
  const core::Json& root() const { return root_; }

 private:
  Document(std::string type, core::Json root) : type_(std::move(type)), root_(std::move(root)) {}

  std::string type_;
  core::Json root_;
};

/// The objects of that name right below `in`, in order.
std::vector<const core::Json*> objects(const core::Json& in, std::string_view name);
/// The first of them; null: there is none.
const core::Json& object(const core::Json& in, std::string_view name);
/// A field's V, else the text in it; empty: it is not there.
std::string value(const core::Json& object, std::string_view field);
/// Another attribute of a field: "U", "SN", "DN".
std::string attribute(const core::Json& object, std::string_view field, std::string_view name);

}  // namespace gateway::adapters::poct1a
