#include "core/json.h"

#define RAPIDJSON_HAS_STDSTRING 1
#include <rapidjson/encodings.h>
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cassert>
#include <charconv>

#include "core/text.h"

namespace gateway::core {
namespace {

constexpr std::size_t kMembersMax = 4096;
constexpr std::size_t kMembersExpected = 4;
const Json kNull;
const Json::Array kNoItems;
const Json::Object kNoMembers;

bool is_ascii(std::string_view text) {
  unsigned char all = 0;
  for (const char c : text) all |= static_cast<unsigned char>(c);
  return all < 0x80;
}

/// Builds the tree from RapidJSON's events; numbers arrive as text.
class TreeBuilder : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, TreeBuilder> {
 public:
  explicit TreeBuilder(std::size_t depth_max) : depth_max_(depth_max) {}

  bool Null() { return put(Json()); }
  bool Bool(bool value) { return put(Json(value)); }
  bool RawNumber(const char* text, rapidjson::SizeType size, bool) {
    return put(Json(Json::Number{std::string(text, size)}));
  }
  bool String(const char* text, rapidjson::SizeType size, bool) {
    return put(Json(std::string_view(text, size)));
  }
  bool StartObject() { return open(Json::object()); }
  bool StartArray() { return open(Json::array()); }
  bool EndObject(rapidjson::SizeType) { return close(); }
  bool EndArray(rapidjson::SizeType) { return close(); }
  bool Key(const char* text, rapidjson::SizeType size, bool) {
    const std::string_view name(text, size);
    // The look-up below is linear: the limit keeps a hostile object from costing quadratic time.
    if (open_.back().size() >= kMembersMax) {
      reason_ = cat("an object of more than ", kMembersMax, " members");
      return false;
    }
    for (const auto& [member, value] : open_.back().members()) {
      if (member == name) {
        reason_ = "a member is named twice in one object";
        return false;
      }
    }
    keys_.emplace_back(name);
    return true;
  }

  Json take() { return std::move(root_); }
  const std::string& reason() const { return reason_; }

 private:
  bool put(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (open_.back().is_array()) {
      open_.back().add(std::move(value));
    } else {
      open_.back().append_member(std::move(keys_.back()), std::move(value));
      keys_.pop_back();
    }
    return true;
  }
  bool open(Json container) {
    if (open_.size() >= depth_max_) {
      reason_ = cat("nested deeper than ", depth_max_, " levels");
      return false;
    }
    open_.push_back(std::move(container));
    return true;
  }
  bool close() {
    Json done = std::move(open_.back());
    open_.pop_back();
    return put(std::move(done));
  }

  std::size_t depth_max_;
  std::vector<Json> open_;
  std::vector<std::string> keys_;
  std::string reason_;
  Json root_;
};

template <class Writer>
void write_value(Writer& writer, const Json& value) {
  if (value.is_null()) {
    writer.Null();
  } else if (value.is_bool()) {
    writer.Bool(value.boolean());
  } else if (value.is_number()) {
    const std::string text = value.number_text();
    writer.RawValue(text.data(), text.size(), rapidjson::kNumberType);
  } else if (value.is_string()) {
    writer.String(value.text().data(), static_cast<rapidjson::SizeType>(value.text().size()));
  } else if (value.is_array()) {
    writer.StartArray();
    for (const Json& item : value.items()) write_value(writer, item);
    writer.EndArray();
  } else {
    writer.StartObject();
    for (const auto& [name, member] : value.members()) {
      writer.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
      write_value(writer, member);
    }
    writer.EndObject();
  }
}

}  // namespace

Result<Json> Json::parse(std::string_view text, std::size_t depth_max) {
  constexpr unsigned kFlags =
      rapidjson::kParseIterativeFlag | rapidjson::kParseNumbersAsStringsFlag;
  TreeBuilder builder(depth_max);
  rapidjson::MemoryStream stream(text.data(), text.size());
  rapidjson::Reader reader;
  // Most of what is parsed is ASCII, which is valid as it stands.
  const bool parsed = is_ascii(text) ? reader.Parse<kFlags>(stream, builder)
                                     : reader.Parse<kFlags | rapidjson::kParseValidateEncodingFlag>(
                                           stream, builder);
  if (!parsed) {
    const std::string why =
        builder.reason().empty()
            ? std::string(rapidjson::GetParseError_En(reader.GetParseErrorCode()))
            : builder.reason();
    return Error(Code::invalid, cat("not JSON at byte ", reader.GetErrorOffset(), ": ", why));
  }
  return builder.take();
}

std::string Json::dump() const {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  write_value(writer, *this);
  return {buffer.GetString(), buffer.GetSize()};
}

const Json& Json::operator[](std::string_view member) const {
  for (const auto& [name, value] : members()) {
    if (name == member) return value;
  }
  return kNull;
}

const Json& Json::operator[](std::size_t index) const {
  const Array& list = items();
  return index < list.size() ? list[index] : kNull;
}

std::string_view Json::text() const {
  const auto* value = std::get_if<std::string>(&value_);
  return value ? std::string_view(*value) : std::string_view();
}

std::string Json::number_text() const {
  const auto* value = std::get_if<Number>(&value_);
  return value ? value->text : std::string();
}

bool Json::boolean() const {
  const auto* value = std::get_if<bool>(&value_);
  return value && *value;
}

std::optional<std::int64_t> Json::integer() const {
  const auto* number = std::get_if<Number>(&value_);
  if (!number) return std::nullopt;
  std::int64_t value = 0;
  const char* end = number->text.data() + number->text.size();
  const auto [stop, code] = std::from_chars(number->text.data(), end, value);
  if (code != std::errc() || stop != end) return std::nullopt;
  return value;
}

const Json::Array& Json::items() const {
  const auto* value = std::get_if<Array>(&value_);
  return value ? *value : kNoItems;
}

const Json::Object& Json::members() const {
  const auto* value = std::get_if<Object>(&value_);
  return value ? *value : kNoMembers;
}

std::size_t Json::size() const { return items().size() + members().size(); }

Json& Json::set(std::string_view member, Json value) {
  if (is_null()) value_ = Object();
  for (auto& [name, held] : std::get<Object>(value_)) {
    if (name == member) {
      held = std::move(value);
      return *this;
    }
  }
  return append_member(std::string(member), std::move(value));
}

Json& Json::append_member(std::string member, Json value) {
  if (is_null()) value_ = Object();
  auto& members = std::get<Object>(value_);
  // Growing by doubling from one would move the first members three times.
  if (members.capacity() == 0) members.reserve(kMembersExpected);
  members.emplace_back(std::move(member), std::move(value));
  return *this;
}

Json& Json::add(Json item) {
  if (is_null()) value_ = Array();
  std::get<Array>(value_).push_back(std::move(item));
  return *this;
}

bool Json::erase(std::string_view member) {
  auto* object = std::get_if<Object>(&value_);
  return object && std::erase_if(*object, [&](const Member& m) { return m.first == member; }) > 0;
}

}  // namespace gateway::core
