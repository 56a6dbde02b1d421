#include "sync/fhir/json_patch.h"

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/text.h"
#include "sync/fhir/same_content.h"

namespace gateway::sync {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::Json;

using Pointer = std::vector<std::string>;

constexpr std::int64_t kPowerMax = 1'000'000'000;  // of ten; what is beyond compares as text

/// RFC 6901.
std::optional<Pointer> parse_pointer(const Json& text) {
  if (!text.is_string()) return std::nullopt;
  std::string_view rest = text.text();
  Pointer steps;
  if (rest.empty()) return steps;
  if (rest.front() != '/') return std::nullopt;
  for (const char c : rest) {
    if (c == '/') {
      steps.emplace_back();
    } else {
      steps.back() += c;
    }
  }
  for (std::string& step : steps) {
    for (std::size_t at = 0; (at = step.find('~', at)) != step.npos; ++at) {
      const char next = at + 1 < step.size() ? step[at + 1] : '\0';
      if (next != '0' && next != '1') return std::nullopt;
      step.replace(at, 2, next == '0' ? "~" : "/");
    }
  }
  return steps;
}

/// Of an array of `size` items; `size` itself and "-" name the place after the last.
std::optional<std::size_t> index_of(const std::string& step, std::size_t size) {
  if (step == "-") return size;
  if (step.size() > 1 && step.front() == '0') return std::nullopt;
  std::size_t index = 0;
  const auto [end, code] = std::from_chars(step.data(), step.data() + step.size(), index);
  if (code != std::errc() || end != step.data() + step.size() || index > size) return std::nullopt;
  return index;
}

const Json* find(const Json& document, const Pointer& steps) {
  const Json* here = &document;
  for (const std::string& step : steps) {
    const Json* next = nullptr;
    if (here->is_object()) {
      for (const auto& [name, value] : here->members()) {
        if (name == step) next = &value;
      }
    } else if (here->is_array()) {
      const auto index = index_of(step, here->size());
      if (index && *index < here->size()) next = &here->items()[*index];
    }
    if (next == nullptr) return nullptr;
    here = next;
  }
  return here;
}

/// A number as its digits without zeros at either end, and the power of ten they count; so that
/// 1.50, 1.5 and 15e-1 are one text.
std::string number_value(std::string_view text) {
  const std::string_view as_sent = text;
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const auto mark = text.find_first_of("eE");
  std::int64_t power = 0;
  if (mark != std::string_view::npos) {
    std::string_view exponent = text.substr(mark + 1);
    if (exponent.starts_with('+')) exponent.remove_prefix(1);
    const auto [end, code] =
        std::from_chars(exponent.data(), exponent.data() + exponent.size(), power);
    if (code != std::errc() || power > kPowerMax || power < -kPowerMax) return std::string(as_sent);
  }
  std::string digits;
  bool after_point = false;
  for (const char c : text.substr(0, mark)) {
    if (c == '.') {
      after_point = true;
      continue;
    }
    if (after_point) --power;
    if (c != '0' || !digits.empty()) digits += c;
  }
  for (; digits.ends_with('0'); ++power) digits.pop_back();
  return digits.empty() ? "0" : cat(negative ? "-" : "", digits, 'e', power);
}

/// A copy in which equal numbers are written alike (RFC 6902 4.6).
Json by_value(const Json& value) {
  if (value.is_number()) return Json(Json::Number{number_value(value.number_text())});
  if (value.is_array()) {
    Json out = Json::array();
    for (const Json& item : value.items()) out.add(by_value(item));
    return out;
  }
  if (!value.is_object()) return value;
  Json out = Json::object();
  for (const auto& [name, member] : value.members()) out.append_member(name, by_value(member));
  return out;
}

enum class Change { add, replace, remove };

/// An array with one item put in, exchanged or taken out.
Json changed_array(const Json& array, std::size_t index, Change change, const Json& value) {
  Json out = Json::array();
  for (std::size_t i = 0; i <= array.size(); ++i) {
    if (i == index && change != Change::remove) out.add(value);
    if (i == array.size() || (i == index && change != Change::add)) continue;
    out.add(array.items()[i]);
  }
  return out;
}

/// The document with the change made at `steps[depth...]`; nothing when there is no such place.
std::optional<Json> changed(const Json& here, const Pointer& steps, std::size_t depth,
                            Change change, const Json& value) {
  if (depth == steps.size()) return value;
  const std::string& step = steps[depth];
  const bool last = depth + 1 == steps.size();
  if (here.is_array()) {
    const auto index = index_of(step, here.size());
    if (!index || (*index == here.size() && (!last || change != Change::add))) return std::nullopt;
    if (last) return changed_array(here, *index, change, value);
    const auto inner = changed(here.items()[*index], steps, depth + 1, change, value);
    if (!inner) return std::nullopt;
    return changed_array(here, *index, Change::replace, *inner);
  }
  if (!here.is_object()) return std::nullopt;
  Json out = here;
  const Json* member = find(here, {step});
  if (last) {
    if (member == nullptr && change != Change::add) return std::nullopt;
    if (change == Change::remove) {
      out.erase(step);
    } else {
      out.set(step, value);
    }
    return out;
  }
  if (member == nullptr) return std::nullopt;
  const auto inner = changed(*member, steps, depth + 1, change, value);
  if (!inner) return std::nullopt;
  out.set(step, *inner);
  return out;
}

class Patch {
 public:
  explicit Patch(Json document) : document_(std::move(document)) {}

  core::Status apply(const Json& operation) {
    const std::string_view name = operation["op"].text();
    const auto path = parse_pointer(operation["path"]);
    if (!path) return Error(Code::invalid, "its path is no JSON Pointer");
    if (name == "move" || name == "copy") return transfer(operation, *path, name == "move");
    if (name == "remove") return change(*path, Change::remove, Json());
    const Json* value = find(operation, {"value"});
    if (value == nullptr)
      return Error(Code::invalid, "it has no op this server knows, or no value");
    if (name == "add") return change(*path, Change::add, *value);
    if (name == "replace") return change(*path, Change::replace, *value);
    if (name != "test") {
      return Error(Code::invalid, "op must be add, remove, replace, move, copy or test");
    }
    const Json* held = find(document_, *path);
    if (held != nullptr && same_value(by_value(*held), by_value(*value))) return {};
    return Error(Code::refused, "the test does not hold");
  }

  Json take() { return std::move(document_); }

 private:
  core::Status change(const Pointer& path, Change what, const Json& value) {
    if (path.empty() && what == Change::remove)
      return Error(Code::invalid, "the whole resource cannot be removed by a patch; delete it");
    auto made = changed(document_, path, 0, what, value);
    if (!made) return Error(Code::invalid, "its path names nothing in the resource");
    document_ = std::move(*made);
    return {};
  }

  core::Status transfer(const Json& operation, const Pointer& path, bool move) {
    const auto from = parse_pointer(operation["from"]);
    const Json* held = from ? find(document_, *from) : nullptr;
    if (held == nullptr) return Error(Code::invalid, "its from names nothing in the resource");
    const bool inside =
        path.size() > from->size() && std::equal(from->begin(), from->end(), path.begin());
    if (move && inside) return Error(Code::invalid, "a value cannot be moved into itself");
    const Json value = *held;
    if (move) GW_CHECK(change(*from, Change::remove, Json()));
    return change(path, Change::add, value);
  }

  Json document_;
};

}  // namespace

core::Result<Json> apply_json_patch(Json document, const Json& patch) {
  if (!patch.is_array()) {
    return Error(Code::invalid, "a JSON Patch is an array of operations (RFC 6902)");
  }
  if (patch.size() > kPatchOperationsMax) {
    return Error(Code::invalid, cat("more than ", kPatchOperationsMax, " operations"));
  }
  Patch work(std::move(document));
  for (std::size_t i = 0; i < patch.size(); ++i) {
    if (auto done = work.apply(patch.items()[i]); !done.ok())
      return std::move(done).error().with_context(cat("operation ", i + 1));
  }
  return work.take();
}

}  // namespace gateway::sync
