#include "adapters/fields/xml.h"

#include <expat.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "adapters/mapping/character_set.h"
#include "core/text.h"

namespace gateway::adapters::fields {
namespace {

using core::cat;
using core::Json;

constexpr std::size_t kPieceBytes = 1U << 20;  // expat counts in int

std::string_view local_name(std::string_view name) {
  const auto colon = name.rfind(':');
  return colon == name.npos ? name : name.substr(colon + 1);
}

/// The encoding that the XML declaration names; empty: none.
std::string_view declared_encoding(std::string_view text) {
  constexpr std::size_t kDeclarationMax = 200;
  if (!text.starts_with("<?xml")) return {};
  text = text.substr(0, std::min(text.find("?>"), kDeclarationMax));
  const auto at = text.find("encoding");
  if (at == text.npos) return {};
  const auto open = text.find_first_of("\"'", at);
  if (open == text.npos) return {};
  const auto close = text.find(text[open], open + 1);
  return close == text.npos ? std::string_view() : text.substr(open + 1, close - open - 1);
}

/// What expat reads by itself; of others it knows nothing.
bool is_of_expat(std::string_view encoding) {
  const std::string name = core::to_lower_ascii(encoding);
  return name == "utf-8" || name.starts_with("utf-16") || name == "us-ascii" ||
         name == "iso-8859-1";
}

/// What expat tells, built up from the root to the element that is open.
class Builder {
 public:
  explicit Builder(XML_Parser parser) : parser_(parser) {
    XML_SetUserData(parser, this);
    XML_SetElementHandler(
        parser,
        [](void* self, const XML_Char* name, const XML_Char** attributes) {
          static_cast<Builder*>(self)->begin(name, attributes);
        },
        [](void* self, const XML_Char*) { static_cast<Builder*>(self)->end(); });
    XML_SetCharacterDataHandler(parser, [](void* self, const XML_Char* text, int size) {
      static_cast<Builder*>(self)->open_text({text, static_cast<std::size_t>(size)});
    });
    XML_SetStartDoctypeDeclHandler(
        parser, [](void* self, const XML_Char*, const XML_Char*, const XML_Char*, int) {
          static_cast<Builder*>(self)->refuse("it has a document type declaration");
        });
  }

  const std::string& refusal() const { return refusal_; }
  Json take() { return std::move(root_); }

 private:
  struct Open {
    std::string name;
    Json::Object attributes;
    std::vector<std::pair<std::string, Json::Array>> children;  // by name, in order
    std::map<std::string, std::size_t, std::less<>> places;     // in `children`
    std::string text;
  };

  void refuse(std::string why) {
    if (refusal_.empty()) refusal_ = std::move(why);
    XML_StopParser(parser_, XML_FALSE);
  }

  void begin(std::string_view name, const XML_Char** attributes) {
    if (open_.size() == kXmlDepthMax) return refuse("its elements are nested too deep");
    if (++elements_ > kXmlElementsMax) return refuse("it has too many elements");
    Open element;
    element.name = local_name(name);
    std::set<std::string> names;
    for (; *attributes != nullptr; attributes += 2) {
      const std::string_view attribute = attributes[0];
      if (attribute == "xmlns" || attribute.starts_with("xmlns:")) continue;
      std::string member = cat('@', local_name(attribute));
      // Of two that differ by their prefix alone, the second keeps it.
      if (!names.insert(member).second) member = cat('@', attribute);
      element.attributes.emplace_back(std::move(member), Json(attributes[1]));
    }
    open_.push_back(std::move(element));
  }

  void open_text(std::string_view text) {
    if (!open_.empty()) open_.back().text += text;
  }

  void end() {
    Open element = std::move(open_.back());
    open_.pop_back();
    Json made = made_of(element);
    if (open_.empty()) {
      root_ = Json::object();
      root_.set(element.name, std::move(made));
      return;
    }
    Open& parent = open_.back();
    const auto [place, is_new] = parent.places.emplace(element.name, parent.children.size());
    if (is_new) parent.children.emplace_back(element.name, Json::Array());
    parent.children[place->second].second.push_back(std::move(made));
  }

  static Json made_of(Open& element) {
    const std::string_view text = core::trim(element.text);
    if (element.attributes.empty() && element.children.empty()) return Json(text);
    Json made = Json::object();
    for (auto& [name, value] : element.attributes) made.append_member(name, std::move(value));
    for (auto& [name, values] : element.children) {
      if (values.size() == 1) {
        made.append_member(name, std::move(values[0]));
        continue;
      }
      Json several = Json::array();
      for (Json& value : values) several.add(std::move(value));
      made.append_member(name, std::move(several));
    }
    if (!text.empty()) made.set("#text", text);
    return made;
  }

  XML_Parser parser_;
  std::vector<Open> open_;
  std::size_t elements_ = 0;
  std::string refusal_;
  Json root_;
};

}  // namespace

core::Result<Json> parse_xml(std::string_view text) {
  const std::string_view encoding = declared_encoding(text);
  const bool is_recoded =
      !encoding.empty() && !is_of_expat(encoding) && mapping::is_character_set(encoding);
  std::string recoded;
  if (is_recoded) {
    recoded = mapping::decode_text(text, encoding, "").utf8;
    text = recoded;
  }
  // A parser that is told its encoding does not look at the declaration's.
  const std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> parser(
      XML_ParserCreate(is_recoded ? "UTF-8" : nullptr), XML_ParserFree);
  if (!parser) return core::Error(core::Code::invalid, "no memory for an XML parser");
  Builder builder(parser.get());
  XML_Status status = XML_STATUS_OK;
  do {
    const std::string_view piece = text.substr(0, kPieceBytes);
    text.remove_prefix(piece.size());
    status = XML_Parse(parser.get(), piece.data(), static_cast<int>(piece.size()),
                       text.empty() ? XML_TRUE : XML_FALSE);
  } while (status == XML_STATUS_OK && !text.empty());
  if (!builder.refusal().empty())
    return core::Error(core::Code::invalid, cat("the XML is not taken: ", builder.refusal()));
  if (status != XML_STATUS_OK) {
    return core::Error(core::Code::invalid,
                       cat("no whole XML: line ", XML_GetCurrentLineNumber(parser.get()), ": ",
                           XML_ErrorString(XML_GetErrorCode(parser.get()))));
  }
  return builder.take();
}

}  // namespace gateway::adapters::fields
