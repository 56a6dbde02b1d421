#include "json_schema.h"

#include <algorithm>

namespace gateway::daemon {
namespace {

using core::Json;

bool has_type(const Json& value, std::string_view type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "integer") return value.integer().has_value();
  if (type == "number") return value.is_number();
  if (type == "null") return value.is_null();
  if (type == "boolean") return value.is_bool();
  return false;
}

bool type_fits(const Json& type, const Json& value) {
  if (type.is_string()) return has_type(value, type.text());
  if (!type.is_array()) return true;
  return std::any_of(type.items().begin(), type.items().end(),
                     [&](const Json& one) { return has_type(value, one.text()); });
}

bool has_member(const Json& object, std::string_view name) {
  return std::any_of(object.members().begin(), object.members().end(),
                     [&](const Json::Member& member) { return member.first == name; });
}

std::string object_violation(const Json& schema, const Json& value, const std::string& at) {
  for (const Json& name : schema["required"].items()) {
    if (!has_member(value, name.text())) return at + " lacks " + std::string(name.text());
  }
  const Json& others = schema["additionalProperties"];
  for (const auto& [name, member] : value.members()) {
    const bool known = has_member(schema["properties"], name);
    if (!known && others.is_bool() && !others.boolean()) return at + " has an unknown " + name;
    const Json& rule = known ? schema["properties"][name] : others;
    if (auto wrong = schema_violation(rule, member, at + "." + name); !wrong.empty()) return wrong;
  }
  return {};
}

}  // namespace

std::string schema_violation(const Json& schema, const Json& value, const std::string& at) {
  if (!type_fits(schema["type"], value)) return at + " has the wrong type: " + value.dump();
  if (!schema["const"].is_null() && !(schema["const"] == value)) {
    return at + " is not the constant: " + value.dump();
  }
  const auto& choices = schema["enum"].items();
  if (!choices.empty() && std::find(choices.begin(), choices.end(), value) == choices.end()) {
    return at + " is none of the choices: " + value.dump();
  }
  const auto minimum = schema["minimum"].integer();
  if (minimum && value.integer() && *value.integer() < *minimum) return at + " is too small";
  for (const Json& item : value.items()) {
    if (auto wrong = schema_violation(schema["items"], item, at + "[]"); !wrong.empty()) {
      return wrong;
    }
  }
  return value.is_object() ? object_violation(schema, value, at) : std::string();
}

}  // namespace gateway::daemon
