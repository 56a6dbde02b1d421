#include "adapters/profiles/field_map.h"

#include "adapters/mapping/fhir_values.h"
#include "core/text.h"

namespace gateway::adapters::profiles {
namespace {

using core::cat;
using core::Config;
using core::ConfigKey;

core::Error mistake(const Config& config, const std::string& key, std::string_view what) {
  return {core::Code::invalid, cat(config.where(key), ": ", key, ": ", what)};
}

core::Status read_path(const Config& config, const std::string& key, FieldPath& out) {
  if (!config.has(key)) return {};
  auto path = FieldPath::parse(config.text(key));
  if (!path.ok()) return mistake(config, key, path.error().message());
  out = std::move(*path);
  return {};
}

core::Status read_limit(const Config& config, const std::string& key, std::string& out) {
  out = config.text(key);
  if (out.empty() || !mapping::decimal(out).is_null()) return {};
  return mistake(config, key, "is no number");
}

core::Status read_measured(const Config& config, FieldMap& map) {
  for (const std::string& name : config.names("field")) {
    const std::string table = cat("field.", name, ".");
    MeasuredField field;
    field.code = config.has(table + "code") ? config.text(table + "code") : name;
    field.unit = config.text(table + "unit");
    GW_CHECK(read_path(config, table + "path", field.path));
    GW_CHECK(read_limit(config, table + "low", field.low));
    GW_CHECK(read_limit(config, table + "high", field.high));
    field.run_failures = config.texts(table + "run_failures");
    map.measured.push_back(std::move(field));
  }
  return {};
}

core::Status check_whole(const Config& config, const FieldMap& map) {
  const bool has_list = !map.results.empty();
  if (has_list && (map.code.empty() || map.value.empty()))
    return mistake(config, "results", "needs code and value, where they stand in each");
  if (map.format.empty() && (has_list || !map.measured.empty()))
    return mistake(config, "results", "values need a format: xml, csv or json");
  if (!map.format.empty() && !has_list && map.measured.empty())
    return mistake(config, "format", "no value is named: write results, or a [field.NAME]");
  if (map.has_companion && map.format.empty())
    return mistake(config, "companion", "needs a format: the record's");
  return {};
}

}  // namespace

std::vector<ConfigKey> field_keys() {
  using core::KeyType;
  return {
      {.path = "format", .meaning = "of a record", .choices = {"xml", "csv", "json"}},
      {.path = "delimiter",
       .meaning = "csv: between cells",
       .default_text = "\",\"",
       .choices = {",", ";", "\t", "|"}},
      {.path = "rows", .meaning = "each measurement of a document; default: it is one"},
      {.path = "time", .meaning = "when it was measured; default: when it came"},
      {.path = "date_order",
       .meaning = "of dates written with / . or -; unix: seconds or milliseconds since 1970",
       .default_text = "\"ymd\"",
       .choices = {"ymd", "dmy", "mdy", "unix"}},
      {.path = "patient.id", .meaning = "the patient's id"},
      {.path = "patient.family", .meaning = "family name"},
      {.path = "patient.given", .meaning = "given names"},
      {.path = "patient.birth_date", .meaning = "date of birth"},
      {.path = "patient.sex", .meaning = "M, F, male, female, other"},
      {.path = "serial_number", .meaning = "the device's serial"},
      {.path = "results", .meaning = "each result in a list"},
      {.path = "code", .meaning = "its code, from the result"},
      {.path = "value", .meaning = "its value"},
      {.path = "unit", .meaning = "its unit"},
      {.path = "field.*.path", .meaning = "where a value of its own stands", .required = true},
      {.path = "field.*.code", .meaning = "its local code; default: the table's name"},
      {.path = "field.*.unit", .meaning = "its unit"},
      {.path = "field.*.low", .meaning = "below it the value is flagged"},
      {.path = "field.*.high", .meaning = "above it the value is flagged"},
      {.path = "field.*.run_failures",
       .type = KeyType::text_list,
       .meaning = "values of this field that mean no result, besides the profile's"},
      {.path = "subject",
       .meaning = "what is measured",
       .default_text = "\"patient\"",
       .choices = {"patient", "device"}},
      {.path = "category", .meaning = "FHIR category of observations"},
      {.path = "document_type", .meaning = "how its documents are called"},
      {.path = "companion",
       .type = KeyType::boolean,
       .meaning = "true: a document of the same name comes with each record",
       .default_text = "false"},
      {.path = "name_separator", .meaning = "cuts a file's name into $file.parts"},
  };
}

std::vector<ConfigKey> topic_keys() {
  return {{.path = "topic",
           .meaning = "where it speaks; {name} for a level that differs, $topic.name in a path"}};
}

core::Status read_topic(const Config& config, FieldMap& map) {
  auto topic = TopicPattern::parse(config.text("topic"));
  if (!topic.ok()) return mistake(config, "topic", topic.error().message());
  map.topic = std::move(*topic);
  if (map.format.empty()) return mistake(config, "format", "a message has one; write json");
  return {};
}

core::Result<FieldMap> read_field_map(const Config& config) {
  FieldMap map;
  map.format = config.text("format");
  map.delimiter = config.text("delimiter")[0];
  const std::string order = config.text("date_order");
  if (order == "dmy") map.date_order = DateOrder::day_first;
  if (order == "mdy") map.date_order = DateOrder::month_first;
  if (order == "unix") map.date_order = DateOrder::unix_epoch;
  const std::pair<const char*, FieldPath*> paths[] = {
      {"rows", &map.rows},
      {"time", &map.time},
      {"patient.id", &map.patient_id},
      {"patient.family", &map.family},
      {"patient.given", &map.given},
      {"patient.birth_date", &map.birth_date},
      {"patient.sex", &map.sex},
      {"serial_number", &map.serial},
      {"results", &map.results},
      {"code", &map.code},
      {"value", &map.value},
      {"unit", &map.unit},
  };
  for (const auto& [key, path] : paths) GW_CHECK(read_path(config, key, *path));
  GW_CHECK(read_measured(config, map));
  map.is_of_device = config.text("subject") == "device";
  map.category = config.text("category");
  map.document_type = config.text("document_type");
  map.has_companion = config.boolean("companion");
  map.name_separator = config.text("name_separator");
  GW_CHECK(check_whole(config, map));
  return map;
}

}  // namespace gateway::adapters::profiles
