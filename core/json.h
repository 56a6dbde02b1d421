// JSON that keeps what was sent: numbers stay the text they arrived as (1.50 stays 1.50), members
// keep their order and unknown ones survive. A FHIR resource passes through unchanged. Parsing is
// RapidJSON's (iterative, so depth cannot exhaust the stack; depth is limited anyway), writing is
// compact UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/result.h"

namespace gateway::core {

class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;
  struct Number {
    std::string text;
    bool operator==(const Number&) const = default;
  };

  Json() = default;                                        // null
  Json(bool value) : value_(value) {}                      // NOLINT(google-explicit-constructor)
  Json(const char* value) : value_(std::string(value)) {}  // NOLINT(google-explicit-constructor)
  Json(std::string value) : value_(std::move(value)) {}    // NOLINT(google-explicit-constructor)
  Json(std::string_view value)
      : value_(std::string(value)) {}                         // NOLINT(google-explicit-constructor)
  Json(int value) : value_(Number{std::to_string(value)}) {}  // NOLINT(google-explicit-constructor)
  Json(std::int64_t value)
      : value_(Number{std::to_string(value)}) {}  // NOLINT(google-explicit-constructor)
  Json(std::uint64_t value)
      : value_(Number{std::to_string(value)}) {}    // NOLINT(google-explicit-constructor)
  Json(Number value) : value_(std::move(value)) {}  // NOLINT(google-explicit-constructor)
  static Json array(std::initializer_list<Json> items = {}) { return Json(Array(items)); }
  static Json object(std::initializer_list<Member> members = {}) { return Json(Object(members)); }

  /// The whole of `text` must be one JSON value of at most `depth_max` levels and valid UTF-8, with
  /// no member named twice in one object. The error says at which byte.
  static Result<Json> parse(std::string_view text, std::size_t depth_max = 64);
  /// Compact text; numbers as they came.
  std::string dump() const;

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_bool() const { return std::holds_alternative<bool>(value_); }
  bool is_number() const { return std::holds_alternative<Number>(value_); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  bool is_object() const { return std::holds_alternative<Object>(value_); }

  /// Lenient readers for input of any shape: a missing or differently typed value reads as empty,
  /// never fails.
  const Json& operator[](std::string_view member) const;  // null when absent or not an object
  const Json& operator[](std::size_t index) const;        // null when absent or not an array
  std::string_view text() const;                          // string's text, else empty
  std::string number_text() const;                        // number's text as it came, else empty
  bool boolean() const;                                   // true only for true
  std::optional<std::int64_t> integer() const;            // a number that is a whole int64
  const Array& items() const;                             // empty when not an array
  const Object& members() const;                          // empty when not an object
  std::size_t size() const;                               // of an array or object, else 0

  /// Builders: turn null into the needed kind; asserting on another kind.
  Json& set(std::string_view member, Json value);       // replaces or appends; returns *this
  Json& append_member(std::string member, Json value);  // the caller knows it is not there yet
  Json& add(Json item);                                 // appends to an array; returns *this
  bool erase(std::string_view member);

  bool operator==(const Json&) const = default;

 private:
  explicit Json(Array value) : value_(std::move(value)) {}
  explicit Json(Object value) : value_(std::move(value)) {}

  std::variant<std::monostate, bool, Number, std::string, Array, Object> value_;
};

}  // namespace gateway::core
