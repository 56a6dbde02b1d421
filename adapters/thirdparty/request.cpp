#include "adapters/thirdparty/request.h"

#include <algorithm>
#include <array>

#include "core/base64.h"
#include "core/json.h"
#include "core/text.h"

namespace gateway::adapters::thirdparty {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::Json;
using Type = Request::Type;

constexpr std::size_t kDepthMax = 4;
constexpr std::size_t kIdBytesMax = 200;

struct Shape {
  std::string_view name;
  Type type;
  std::array<std::string_view, 7> members;  // what may stand in a line of that type
};
constexpr std::array kShapes{
    Shape{"hello", Type::hello, {"type", "version", "token"}},
    Shape{"hl7", Type::hl7, {"type", "id", "text", "data"}},
    Shape{"record", Type::record, {"type", "id", "text", "data", "name", "at", "document"}},
    Shape{"document", Type::document, {"type", "id", "data", "name"}}};

Error wrong(std::string what) { return {Code::invalid, std::move(what)}; }

std::string listed(const Shape& shape) {
  std::string list;
  for (const std::string_view member : shape.members)
    list += cat(member.empty() ? "" : " ", member);
  return list;
}

core::Status check_members(const Json& line, const Shape& shape) {
  for (const auto& [member, value] : line.members()) {
    // What nobody reads here would be lost unseen.
    if (member.empty() || std::ranges::find(shape.members, member) == shape.members.end())
      return wrong(cat("a member is not known; those of ", shape.name, " are", listed(shape)));
    if (member == "version" ? !value.integer().has_value() : !value.is_string())
      return wrong(cat(member, member == "version" ? " is no whole number" : " is no text"));
  }
  return {};
}

core::Result<std::string> bytes_in(const Json& line, std::string_view member) {
  auto bytes = core::from_base64(line[member].text());
  if (!bytes) return wrong(cat(member, " is not base64"));
  return std::move(*bytes);
}

core::Status read_content(const Json& line, Request& request) {
  const bool has_text = line["text"].is_string();
  if (has_text == line["data"].is_string())
    return wrong(request.type == Type::document ? "data is not there: the document in base64"
                                                : "write text, or data in base64, one of the two");
  request.bytes = line["text"].text();
  if (!has_text) {
    GW_TRY(request.bytes, bytes_in(line, "data"));
  }
  if (request.bytes.empty()) return wrong("there is nothing in it");
  GW_TRY(request.document, bytes_in(line, "document"));
  return {};
}

core::Result<Request> request_in(const Json& line, const std::string& id) {
  const std::string_view type = line["type"].text();
  const auto* const shape = std::find_if(kShapes.begin(), kShapes.end(),
                                         [type](const Shape& one) { return one.name == type; });
  if (shape == kShapes.end()) return wrong("type is unknown; it is hl7, record or document");
  GW_CHECK(check_members(line, *shape));
  Request request;
  request.type = shape->type;
  if (request.type == Type::hello) {
    request.version = line["version"].integer().value_or(0);
    request.token = line["token"].text();
    return request;
  }
  if (id.empty() || id.size() > kIdBytesMax)
    return wrong(cat("id is not there, or longer than ", kIdBytesMax,
                     " bytes; the same message has the same id whenever it is sent"));
  request.id = id;
  request.name = line["name"].text();
  request.at = line["at"].text();
  GW_CHECK(read_content(line, request));
  return request;
}

}  // namespace

Heard read_line(std::string_view line) {
  const auto said = Json::parse(line, kDepthMax);
  if (!said.ok()) return {"", wrong(cat("it is no JSON: ", said.error().message()))};
  if (!said->is_object()) return {"", wrong("it is no JSON object")};
  std::string id((*said)["id"].text());
  core::Result<Request> request = request_in(*said, id);
  return {std::move(id), std::move(request)};
}

}  // namespace gateway::adapters::thirdparty
