#include "adapters/profiles/profile.h"

#include <algorithm>
#include <set>
#include <span>

#include "core/text.h"
#include "crypto/digest.h"

namespace gateway::adapters::profiles {
namespace {

using core::cat;
using core::Config;
using core::ConfigKey;
using core::KeyType;

constexpr std::size_t kFileBytesMax = 1U << 20;

/// Of every profile.
std::vector<ConfigKey> common_keys() {
  return {
      {.path = "id", .meaning = "the folder's name", .required = true},
      {.path = "revision",
       .type = KeyType::integer,
       .meaning = "grows with every change of meaning",
       .required = true,
       .minimum = 1},
      {.path = "device", .meaning = "maker and model", .required = true},
      {.path = "protocol",
       .meaning = "what it speaks",
       .required = true,
       .choices = {"astm", "poct1a", "folder", "mqtt", "socket", "hl7"}},
      {.path = "run_failures",
       .type = KeyType::text_list,
       .meaning = "values that mean no result; what ends in ... begins so"},
      {.path = "decimal_separator",
       .meaning = "of numbers",
       .default_text = "\".\"",
       .choices = {".", ","}},
  };
}

/// Of protocols whose places are those of a standard.
std::vector<ConfigKey> place_keys() {
  return {
      {.path = "specimen_id",
       .type = KeyType::text_list,
       .meaning = "where the specimen's id stands; empty: only the device's own numbers are sent"},
      {.path = "qc", .type = KeyType::text_list, .meaning = "tests that tell a control"},
      {.path = "serial", .type = KeyType::text_list, .meaning = "where the device's serial stands"},
      {.path = "no_patient_ids",
       .type = KeyType::text_list,
       .meaning = "what stands for the patient's id when nobody is meant; what ends in ... begins "
                  "so"},
  };
}

std::vector<ConfigKey> patient_keys() {
  return {{.path = "patient_id",
           .type = KeyType::text_list,
           .meaning = "where the patient's id stands"}};
}

std::vector<ConfigKey> code_keys() {
  return {{.path = "code_components",
           .type = KeyType::text_list,
           .meaning = "components of the test id that make the code; default: the first with a "
                      "value"}};
}

std::vector<ConfigKey> hl7_keys() {
  return {{.path = "kind",
           .meaning = "what the results are: a monitor's vitals, or an analyzer's",
           .default_text = "\"monitor\"",
           .choices = {"monitor", "analyzer"}}};
}

std::vector<ConfigKey> analyzer_keys() {
  return {{.path = "own_values",
           .type = KeyType::text_list,
           .meaning = "codes of what the device says of itself, which is no result and left out; "
                      "what ends in ... begins so"}};
}

std::vector<ConfigKey> astm_keys() {
  return {
      {.path = "checksum",
       .meaning = "how a frame's check characters are made",
       .default_text = "\"standard\"",
       .choices = {"standard", "without-end", "with-start", "not-verified"}},
      {.path = "frame_bytes_max",
       .type = KeyType::integer,
       .meaning = "text of the largest frame the device takes",
       .default_text = "240",
       .minimum = 7,
       .maximum = 63'993},
      {.path = "interpretation",
       .meaning = "where the abnormal flag stands",
       .default_text = "\"R-7\""},
  };
}

void append(std::vector<ConfigKey>& keys, std::vector<ConfigKey> more) {
  for (ConfigKey& key : more) keys.push_back(std::move(key));
}

std::vector<ConfigKey> poct1a_keys() {
  return {{.path = "own_notes",
           .type = KeyType::text_list,
           .meaning = "notes that are for the device's own use and left out; what ends in ... "
                      "begins so"}};
}

/// A key of another protocol is as wrong as one nobody knows.
core::Result<Config> parse_profile(const std::string& text, const std::string& file) {
  std::vector<ConfigKey> all = common_keys();
  append(all, place_keys());
  append(all, patient_keys());
  append(all, code_keys());
  append(all, astm_keys());
  append(all, poct1a_keys());
  append(all, hl7_keys());
  append(all, analyzer_keys());
  append(all, field_keys());
  append(all, topic_keys());
  append(all, sampling_keys());
  GW_TRY(const Config any, Config::parse(text, file, all));
  std::vector<ConfigKey> own = common_keys();
  const std::string protocol = any.text("protocol");
  const bool is_analyzer = protocol == "hl7" && any.text("kind") == "analyzer";
  const bool is_line = protocol == "astm" || protocol == "poct1a";
  if (is_line || is_analyzer) append(own, place_keys());
  if (is_line) append(own, patient_keys());
  if (protocol == "astm" || is_analyzer) append(own, code_keys());
  if (protocol == "astm") append(own, astm_keys());
  if (protocol == "poct1a") append(own, poct1a_keys());
  if (protocol == "hl7") append(own, hl7_keys());
  if (protocol == "hl7") append(own, is_analyzer ? analyzer_keys() : sampling_keys());
  if (protocol == "folder" || protocol == "mqtt" || protocol == "socket") append(own, field_keys());
  if (protocol == "mqtt") append(own, topic_keys());
  return Config::parse(text, file, own);
}

template <class Value, class Parse>
core::Status read_list(const Config& config, const char* key, const Parse& parse,
                       std::vector<Value>& out) {
  for (const std::string& text : config.texts(key)) {
    auto parsed = parse(text);
    if (!parsed.ok()) {
      return core::Error(core::Code::invalid,
                         cat(config.where(key), ": ", key, ": ", parsed.error().message()));
    }
    out.push_back(std::move(*parsed));
  }
  return {};
}

core::Result<std::size_t> parse_component(std::string_view text) {
  const std::string_view sent = text;
  const std::size_t number = take_number(text);
  if (number == 0 || !text.empty())
    return core::Error(core::Code::invalid, cat("\"", sent, "\" is no component's number"));
  return number;
}

Checksum checksum_named(std::string_view name) {
  if (name == "without-end") return Checksum::without_end;
  if (name == "with-start") return Checksum::with_start;
  if (name == "not-verified") return Checksum::not_verified;
  return Checksum::standard;
}

core::Status read_places(const Config& config, ParsePlace parse, Profile& profile) {
  const auto rule = [parse](std::string_view text) { return parse_rule(text, parse); };
  const auto test = [parse](std::string_view text) { return parse_test(text, parse); };
  GW_CHECK(read_list(config, "specimen_id", rule, profile.specimen_id));
  // Whose an HL7 message is, the standard says.
  if (profile.protocol != "hl7") {
    GW_CHECK(read_list(config, "patient_id", rule, profile.patient_id));
  }
  GW_CHECK(read_list(config, "qc", test, profile.qc));
  GW_CHECK(read_list(config, "serial", rule, profile.serial));
  profile.no_patient_ids = config.texts("no_patient_ids");
  return {};
}

core::Status read_hl7(const Config& config, Profile& profile) {
  profile.is_monitor = config.text("kind") == "monitor";
  if (profile.is_monitor) {
    GW_TRY(profile.sampling, read_sampling(config));
    return {};
  }
  GW_CHECK(read_list(config, "code_components", parse_component, profile.code_components));
  GW_CHECK(read_places(config, parse_segment_place, profile));
  profile.own_values = config.texts("own_values");
  return {};
}

core::Result<Profile> read_profile(const Config& config) {
  Profile profile;
  profile.id = config.text("id");
  profile.device = config.text("device");
  profile.protocol = config.text("protocol");
  profile.run_failures = config.texts("run_failures");
  profile.decimal_separator = config.text("decimal_separator")[0];
  if (profile.protocol == "hl7") {
    GW_CHECK(read_hl7(config, profile));
    return profile;
  }
  if (profile.protocol == "poct1a") {
    GW_CHECK(read_places(config, parse_element_place, profile));
    profile.own_notes = config.texts("own_notes");
    return profile;
  }
  if (profile.protocol != "astm") {
    GW_TRY(profile.fields, read_field_map(config));
    if (profile.protocol == "mqtt") {
      GW_CHECK(read_topic(config, profile.fields));
    }
    return profile;
  }
  profile.checksum = checksum_named(config.text("checksum"));
  profile.frame_bytes_max = static_cast<std::size_t>(config.integer("frame_bytes_max"));
  GW_CHECK(read_list(config, "code_components", parse_component, profile.code_components));
  GW_CHECK(read_places(config, parse_record_place, profile));
  GW_TRY(profile.interpretation, parse_record_place(config.text("interpretation")));
  return profile;
}

core::Result<std::vector<std::string>> folders_in(core::Files& files, const std::string& folder) {
  GW_TRY(const bool is_there, files.exists(folder));
  if (!is_there) return std::vector<std::string>();
  return files.list(folder);
}

}  // namespace

bool Profile::is_run_failure(std::string_view value) const {
  return matches_any(value, run_failures);
}

bool Profile::is_nobody(std::string_view sent) const { return matches_any(sent, no_patient_ids); }

bool Profile::is_own_note(std::string_view text) const { return matches_any(text, own_notes); }

bool Profile::is_own_value(std::string_view code) const { return matches_any(code, own_values); }

Shelf shelf_of(const Config& config) {
  return {config.text("profiles.shipped_dir"), config.text("profiles.site_dir")};
}

core::Result<Profile> profile_of_device(const Config& config, core::Files& files,
                                        const std::string& device, std::string_view protocol) {
  const std::string key = cat("device.", device, ".profile");
  const auto wrong = [&](std::string_view what) {
    return core::Error(core::Code::invalid, cat(config.where(key), ": ", key, ": ", what));
  };
  auto folder = profile_folder(files, shelf_of(config), config.text(key));
  if (!folder.ok()) return wrong(folder.error().message());
  auto profile = load_profile(files, *folder);
  if (!profile.ok()) return wrong(profile.error().message());
  if (profile->protocol != protocol)
    return wrong(cat("is for devices that speak ", profile->protocol));
  return profile;
}

core::Status check_named(const Config& config, const std::string& device, std::string_view who,
                         std::string_view fallback) {
  const std::string key = cat("device.", device, ".profile");
  if (!config.text(key).empty()) return {};
  return core::Error(core::Code::invalid,
                     cat(config.where(key), ": ", key, ": ", who, " needs one; \"", fallback,
                         "\" where there is none for the model"));
}

core::Result<std::vector<std::string>> profile_ids(core::Files& files, const Shelf& shelf) {
  std::set<std::string> ids;
  for (const std::string& folder : {shelf.shipped, shelf.site}) {
    GW_TRY(const auto names, folders_in(files, folder));
    for (const std::string& name : names) {
      GW_TRY(const bool is_profile, files.exists(cat(folder, '/', name, "/profile.toml")));
      if (is_profile) ids.insert(name);
    }
  }
  return std::vector<std::string>(ids.begin(), ids.end());
}

core::Result<std::string> profile_folder(core::Files& files, const Shelf& shelf,
                                         const std::string& id) {
  const bool is_name = !id.empty() && id.find('/') == std::string::npos && id[0] != '.';
  for (const std::string& folder : {shelf.site, shelf.shipped}) {
    std::string path = cat(folder, '/', id);
    if (!is_name || folder.empty()) break;
    GW_TRY(const bool is_there, files.exists(path + "/profile.toml"));
    if (is_there) return path;
  }
  return core::Error(core::Code::not_found,
                     cat("there is no profile \"", id, "\" in ", shelf.site, " or ", shelf.shipped,
                         "; clinic-gateway devices profiles lists those that are"));
}

core::Result<Profile> load_profile(core::Files& files, const std::string& folder) {
  const std::string file = folder + "/profile.toml";
  GW_TRY(const std::string text, core::read_whole_file(files, file, kFileBytesMax));
  GW_TRY(const std::string csv, core::read_whole_file(files, folder + "/codes.csv", kFileBytesMax));
  GW_TRY(const Config config, parse_profile(text, file));
  GW_TRY(Profile profile, read_profile(config));
  if (profile.id != folder.substr(folder.rfind('/') + 1))
    return core::Error(core::Code::invalid, cat(file, ": id: must be the folder's name"));
  auto codes = CodeMap::parse(csv);
  if (!codes.ok()) return std::move(codes).error().with_context(folder);
  profile.codes = std::move(*codes);
  const std::string both = cat(text, '\0', csv);
  const crypto::Digest digest = crypto::sha256(std::as_bytes(std::span(both)));
  const std::string_view first(reinterpret_cast<const char*>(digest.data()), 4);
  profile.revision = cat(config.integer("revision"), '+', core::to_hex(first));
  return profile;
}

}  // namespace gateway::adapters::profiles
