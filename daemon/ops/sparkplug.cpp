#include "daemon/ops/sparkplug.h"

#include <sparkplug_b.pb.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "core/text.h"

namespace gateway::daemon {
namespace {

using core::cat;
using core::Code;
using core::Error;
using core::Json;

constexpr char kBdSeq[] = "bdSeq";
constexpr char kRebirth[] = "Node Control/Rebirth";
constexpr std::uint64_t kSeqEnd = 256;
// Sparkplug 3.0.0, 6.4.16.
constexpr std::uint32_t kInt64 = 4;
constexpr std::uint32_t kDouble = 10;
constexpr std::uint32_t kBoolean = 11;
constexpr std::uint32_t kString = 12;

std::uint64_t milliseconds_of(core::Wall at) {
  const auto since = std::chrono::duration_cast<core::Milliseconds>(at.time_since_epoch()).count();
  return since < 0 ? 0 : static_cast<std::uint64_t>(since);
}

/// Which alternative it is decides about the type.
class Put {
 public:
  explicit Put(sparkplug::Metric& metric) : metric_(metric) {}
  void operator()(bool value) const {
    metric_.set_datatype(kBoolean);
    metric_.set_boolean_value(value);
  }
  void operator()(std::int64_t value) const {
    metric_.set_datatype(kInt64);
    metric_.set_long_value(static_cast<std::uint64_t>(value));
  }
  void operator()(double value) const {
    metric_.set_datatype(kDouble);
    metric_.set_double_value(value);
  }
  void operator()(const std::string& value) const {
    metric_.set_datatype(kString);
    metric_.set_string_value(value);
  }

 private:
  sparkplug::Metric& metric_;
};

/// A payload that is being written.
class Writer {
 public:
  explicit Writer(core::Wall now) : at_(milliseconds_of(now)) { payload_.set_timestamp(at_); }
  void seq(std::uint64_t number) { payload_.set_seq(number); }
  void add(const std::string& name, const SparkplugValue& value, bool is_null = false) {
    sparkplug::Metric& metric = *payload_.add_metrics();
    metric.set_name(name);
    metric.set_timestamp(at_);
    std::visit(Put(metric), value);
    if (!is_null) return;
    metric.clear_value();
    metric.set_is_null(true);
  }
  bool is_empty() const { return payload_.metrics_size() == 0; }
  std::string bytes() const { return payload_.SerializeAsString(); }

 private:
  std::uint64_t at_;
  sparkplug::Payload payload_;
};

double number_of(const Json& json) {
  const std::string text = json.number_text();
  double number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// Rows of a list go by what they are called, which the site chose or the kernel.
std::string_view row_name(const Json& row) {
  return row["name"].is_string() ? row["name"].text() : row["disk"].text();
}

void add_all(SparkplugMetrics& out, const std::string& name, const Json& json) {
  if (json.is_bool()) out[name] = json.boolean();
  if (json.is_string()) out[name] = std::string(json.text());
  if (json.is_number()) {
    if (const auto whole = json.integer()) {
      out[name] = *whole;
    } else {
      out[name] = number_of(json);
    }
  }
  for (const auto& [member, value] : json.members()) add_all(out, cat(name, '/', member), value);
  for (const Json& row : json.items()) {
    if (row.is_object()) add_all(out, cat(name, '/', row_name(row)), row);
  }
}

/// One line each: components may come twice.
std::string text_of(const Json& problems) {
  std::string text;
  for (const Json& row : problems.items()) {
    if (!text.empty()) text += '\n';
    text += cat(row["component"].text(), ": ", row["problem"].text());
  }
  return text;
}

}  // namespace

SparkplugMetrics sparkplug_metrics(const Json& health, const Json& samples) {
  static const std::set<std::string_view> kSaidOtherwise{"schema", "seq", "at", "problems"};
  SparkplugMetrics out;
  for (const auto& [member, value] : health.members()) {
    if (!kSaidOtherwise.contains(member)) add_all(out, cat("health/", member), value);
  }
  out["health/problems"] = text_of(health["problems"]);
  for (const Json& sample : samples.items()) {
    std::string name = cat("metrics/", sample["name"].text());
    for (const auto& [label, value] : sample["labels"].members()) name += cat('/', value.text());
    out[name] = number_of(sample["value"]);
  }
  return out;
}

std::string sparkplug_death(std::uint64_t bd_seq, core::Wall now) {
  Writer writer(now);
  writer.add(kBdSeq, static_cast<std::int64_t>(bd_seq));
  return writer.bytes();
}

core::Result<bool> asks_for_rebirth(std::string_view command) {
  sparkplug::Payload payload;
  if (!payload.ParseFromArray(command.data(), static_cast<int>(command.size())))
    return Error(Code::invalid, "it is no Sparkplug B payload");
  return std::any_of(payload.metrics().begin(), payload.metrics().end(), [](const auto& metric) {
    return metric.name() == kRebirth && metric.boolean_value();
  });
}

std::string SparkplugNode::birth(const SparkplugMetrics& present, std::uint64_t bd_seq,
                                 core::Wall now) {
  seq_ = 0;
  told_.clear();
  Writer writer(now);
  writer.seq(seq_);
  writer.add(kBdSeq, static_cast<std::int64_t>(bd_seq));
  writer.add(kRebirth, false);
  for (const auto& [name, value] : present) {
    writer.add(name, value);
    told_[name] = {value};
  }
  return writer.bytes();
}

bool SparkplugNode::is_new(const SparkplugMetrics& present) const {
  return std::any_of(present.begin(), present.end(), [this](const auto& metric) {
    const auto before = told_.find(metric.first);
    return before == told_.end() || before->second.value.index() != metric.second.index();
  });
}

std::optional<std::string> SparkplugNode::data(const SparkplugMetrics& present, core::Wall now) {
  if (is_new(present)) return std::nullopt;
  Writer writer(now);
  for (auto& [name, told] : told_) {
    const auto found = present.find(name);
    const bool is_gone = found == present.end();
    if (is_gone == told.is_null && (is_gone || found->second == told.value)) continue;
    told.is_null = is_gone;
    if (!is_gone) told.value = found->second;
    writer.add(name, told.value, is_gone);
  }
  if (writer.is_empty()) return "";
  seq_ = (seq_ + 1) % kSeqEnd;
  writer.seq(seq_);
  return writer.bytes();
}

}  // namespace gateway::daemon
