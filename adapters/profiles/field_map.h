// What a profile says of devices that write named fields: files (CSV, XML), MQTT messages (JSON)
// and what third-party adapters hand over. Which field is whose id, when, and what was measured.
// The keys stand in profile.toml beside those of every profile.
#pragma once

#include <string>
#include <vector>

#include "adapters/profiles/field_path.h"
#include "adapters/profiles/topic_pattern.h"
#include "core/config.h"
#include "core/result.h"

namespace gateway::adapters::profiles {

/// A measured value with a field of its own.
struct MeasuredField {
  std::string code;  // the local code, for codes.csv
  FieldPath path;
  std::string unit;                       // as the map knows it
  std::string low, high;                  // beyond them somebody is told; empty: no limit
  std::vector<std::string> run_failures;  // values of it that say "no result", patterns too
};

enum class DateOrder {
  year_first,
  day_first,
  month_first,
  unix_epoch,  // seconds or milliseconds since 1970 in UTC
};

struct FieldMap {
  std::string format;    // "xml", "csv", "json"; empty: documents only
  char delimiter = ',';  // csv
  FieldPath rows;        // of several measurements in one document; empty: it is one
  FieldPath time;        // when it was measured; empty: when it came
  DateOrder date_order = DateOrder::year_first;
  FieldPath patient_id, family, given, birth_date, sex;
  FieldPath serial;
  FieldPath results, code, value, unit;  // results in a list that name their codes
  std::vector<MeasuredField> measured;
  bool is_of_device = false;   // a refrigerator: there is no patient
  std::string category;        // of observations
  std::string document_type;   // how a document is called
  bool has_companion = false;  // a document comes beside each record, under the same name
  std::string name_separator;  // cuts a file's name into $file.parts
  TopicPattern topic;          // mqtt: where it speaks
};

/// The keys of profiles with fields.
std::vector<core::ConfigKey> field_keys();
/// The key of those that speak MQTT, besides.
std::vector<core::ConfigKey> topic_keys();
/// Code::invalid names file, line and key.
core::Result<FieldMap> read_field_map(const core::Config& config);
core::Status read_topic(const core::Config& config, FieldMap& map);

}  // namespace gateway::adapters::profiles
