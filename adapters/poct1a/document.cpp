#include "adapters/poct1a/document.h"

#include "adapters/fields/xml.h"
#include "adapters/mapping/character_set.h"
#include "core/text.h"

namespace gateway::adapters::poct1a {
namespace {

using core::cat;
using core::Json;

constexpr std::size_t kDeclarationMax = 256;

/// Nothing but its declaration says in which set a document is.
bool names_its_set(std::string_view bytes) {
  const std::string_view head = bytes.substr(0, kDeclarationMax);
  const auto end = head.find("?>");
  return end != head.npos && head.substr(0, end).find("encoding") != head.npos;
}

const Json& no_object() {
  static const Json none;
  return none;
}

}  // namespace

core::Result<Document> Document::parse(std::string_view bytes, std::string_view default_set) {
  std::string decoded;
  if (!names_its_set(bytes)) {
    decoded = mapping::decode_text(bytes, "", default_set).utf8;
    bytes = decoded;
  }
  GW_TRY(Json whole, fields::parse_xml(bytes));
  const Json::Object& members = whole.members();
  if (members.size() != 1)
    return core::Error(core::Code::invalid, "the document has no root element");
  return Document(members[0].first, members[0].second);
}

std::string Document::control_id() const { return value(object(root_, "HDR"), "HDR.control_id"); }

std::vector<const Json*> objects(const Json& in, std::string_view name) {
  const Json& found = in[name];
  if (found.is_null()) return {};
  if (!found.is_array()) return {&found};
  std::vector<const Json*> all;
  for (const Json& one : found.items()) all.push_back(&one);
  return all;
}

const Json& object(const Json& in, std::string_view name) {
  const auto all = objects(in, name);
  return all.empty() ? no_object() : *all.front();
}

std::string value(const Json& of, std::string_view field) {
  const Json& found = object(of, field);
  if (found.is_string()) return std::string(found.text());
  const std::string sent(core::trim(found["@V"].text()));
  return sent.empty() ? std::string(found["#text"].text()) : sent;
}

std::string attribute(const Json& of, std::string_view field, std::string_view name) {
  return std::string(core::trim(object(of, field)[cat('@', name)].text()));
}

}  // namespace gateway::adapters::poct1a
